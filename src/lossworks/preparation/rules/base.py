"""What a quality rule is: a named test on what was measured of each text in one compiled pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.registry import Registry
from ..texts import Texts


@dataclass(frozen=True, slots=True)
class Measured:
    """What rules look at, one number for each text: ``measured["words"]`` [N]."""

    columns: dict[str, NDArray[np.float64]]

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        return self.columns[name]


@dataclass(frozen=True)
class Rule(ABC):
    """A test that a text of good quality passes; the fields are its thresholds."""

    @abstractmethod
    def fails(self, measured: Measured) -> NDArray[np.bool_]:
        """Which texts do not pass [N]."""


@dataclass(frozen=True, slots=True)
class Screened:
    """Which texts pass all rules.

    kept: bool [N]. rule: int64 [N], the first rule that a text fails, by its place among the rules; −1 of those kept.
    counts: of each rule, by its spec, how many texts fail it, whatever other rules they fail.
    """

    kept: NDArray[np.bool_]
    rule: NDArray[np.int64]
    counts: dict[str, int]


registry: Registry[Rule] = Registry("rule", "lossworks.preparation.rules", Rule, "Give a spec such as 'words:min=5'.")
build, render = registry.build, registry.render
"""From a spec such as ``"words:min=5"``, and back to it."""


def screen(texts: Texts, rules: Sequence[Rule]) -> Screened:
    """Try all rules on all texts."""
    raise NotImplementedError
