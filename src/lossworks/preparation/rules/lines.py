"""Rules on the lines of a text; empty ones do not count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core import domains
from ..measures import Measures
from .base import Rule, registry
from .sizes import FINEWEB, GOPHER


@dataclass(frozen=True)
class _Lines(Rule):
    """At most a share ``max`` of the lines."""

    max: float = 1.0
    _column = ""

    def __post_init__(self) -> None:
        domains.fraction(self, "max")

    def fails(self, measures: Measures) -> NDArray[np.bool_]:
        return measures[self._column] > self.max * measures["lines"]


@registry.add("bullets", source=GOPHER)
@dataclass(frozen=True)
class Bullets(_Lines):
    """At most this share of the lines begins with a bullet or a dash."""

    max: float = 0.9
    _column = "bullets"


@registry.add("ellipses", source=GOPHER)
@dataclass(frozen=True)
class Ellipses(_Lines):
    """At most this share of the lines ends in an ellipsis."""

    max: float = 0.3
    _column = "ellipses"


@registry.add("short_lines", source=FINEWEB)
@dataclass(frozen=True)
class ShortLines(_Lines):
    """At most this share of the lines has 30 characters or fewer; an ideograph counts as two."""

    max: float = 0.67
    _column = "short_lines"


@registry.add("repeated_lines", source=GOPHER)
@dataclass(frozen=True)
class RepeatedLines(_Lines):
    """At most this share of the lines stood before in the text, and at most ``characters`` of its characters are in such."""

    max: float = 0.3
    characters: float = 0.2
    _column = "repeated_lines"

    def __post_init__(self) -> None:
        domains.fraction(self, "max", "characters")

    def fails(self, measures: Measures) -> NDArray[np.bool_]:
        return super().fails(measures) | (measures["repeated_line_letters"] > self.characters * measures["characters"])


@registry.add("line_ends", source=FINEWEB)
@dataclass(frozen=True)
class LineEnds(Rule):
    """At least this share of the lines ends in a full stop, question or exclamation mark, or a closing quotation mark."""

    min: float = 0.12

    def __post_init__(self) -> None:
        domains.fraction(self, "min")

    def fails(self, measures: Measures) -> NDArray[np.bool_]:
        return measures["ended_lines"] < self.min * measures["lines"]
