"""What a quality rule is: a named test on what was measured of each text in one compiled pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.registry import Registry
from ..measures import Measures, measure
from ..texts import Texts


@dataclass(frozen=True)
class Rule(ABC):
    """A test that a text of good quality passes; the fields are its thresholds."""

    @property
    def ngrams(self) -> str | None:
        """What it asks of repeated n-grams, as ``measure`` names it."""
        return None

    @abstractmethod
    def fails(self, measures: Measures) -> NDArray[np.bool_]:
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
    measures = measure(texts, [rule.ngrams for rule in rules if rule.ngrams])
    failed = np.stack([np.zeros(len(texts), np.bool_), *(rule.fails(measures) for rule in rules)])
    first = failed.argmax(0) - 1
    counts = {render(rule): int(own.sum()) for rule, own in zip(rules, failed[1:], strict=True)}
    return Screened(first < 0, first, counts)
