"""Rules on what betrays a page that was never meant to be read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..measures import Measures
from .base import Rule, registry
from .sizes import C4


@registry.add("lorem_ipsum", source=C4)
@dataclass(frozen=True)
class LoremIpsum(Rule):
    """No "lorem ipsum", in any case."""

    def fails(self, measures: Measures) -> NDArray[np.bool_]:
        return measures["lorem"] > 0


@registry.add("braces", source=C4)
@dataclass(frozen=True)
class Braces(Rule):
    """At most ``max`` opening curly braces, which stand in code more than in text."""

    max: int = 0

    def fails(self, measures: Measures) -> NDArray[np.bool_]:
        return measures["braces"] > self.max
