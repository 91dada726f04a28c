"""Rules on how much there is of a text, and on what it is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core import domains
from ..measures import Measures
from .base import Rule, registry

GOPHER = "Rae et al. 2021, arXiv:2112.11446, table A1"
C4 = "Raffel et al. 2020, arXiv:1910.10683, 2.2"
FINEWEB = "Penedo et al. 2024, arXiv:2406.17557"


@registry.add("words", source=GOPHER)
@dataclass(frozen=True)
class Words(Rule):
    """From ``min`` to ``max`` words. Where words are not parted, two ideographs or kana, or four letters, count as one."""

    min: int = 50
    max: int = 100_000

    def __post_init__(self) -> None:
        domains.nonnegative(self, "min", "max")

    def fails(self, measures: Measures) -> NDArray[np.bool_]:
        return (measures["words"] < self.min) | (measures["words"] > self.max)


@registry.add("characters", source="Lossworks")
@dataclass(frozen=True)
class Characters(Rule):
    """From ``min`` to ``max`` characters, white space included."""

    min: int = 1
    max: int = 1_000_000

    def __post_init__(self) -> None:
        domains.nonnegative(self, "min", "max")

    def fails(self, measures: Measures) -> NDArray[np.bool_]:
        return (measures["characters"] < self.min) | (measures["characters"] > self.max)


@registry.add("word_length", source=GOPHER)
@dataclass(frozen=True)
class WordLength(Rule):
    """Words of ``min`` to ``max`` letters on average. A text that is mostly in a script without spaces passes."""

    min: float = 3
    max: float = 10

    def __post_init__(self) -> None:
        domains.nonnegative(self, "min", "max")

    def fails(self, measures: Measures) -> NDArray[np.bool_]:
        runs = measures["runs"]
        mean = measures["run_letters"] / np.maximum(runs, 1)
        spaced = (runs > 0) & (measures["unspaced"] <= measures["run_letters"])
        return spaced & ((mean < self.min) | (mean > self.max))


@registry.add("letters", source="after " + GOPHER)
@dataclass(frozen=True)
class Letters(Rule):
    """At least this share of the characters other than white space are letters, in any script."""

    min: float = 0.7

    def __post_init__(self) -> None:
        domains.fraction(self, "min")

    def fails(self, measures: Measures) -> NDArray[np.bool_]:
        return measures["letters"] < self.min * measures["visible"]


@registry.add("symbols", source=GOPHER)
@dataclass(frozen=True)
class Symbols(Rule):
    """At most so many hash signs and ellipses a word."""

    max: float = 0.1

    def __post_init__(self) -> None:
        domains.nonnegative(self, "max")

    def fails(self, measures: Measures) -> NDArray[np.bool_]:
        return measures["symbols"] > self.max * measures["words"]


@registry.add("sentences", source=C4)
@dataclass(frozen=True)
class Sentences(Rule):
    """At least so many sentences, told by their full stops, question and exclamation marks in any script."""

    min: int = 3

    def __post_init__(self) -> None:
        domains.nonnegative(self, "min")

    def fails(self, measures: Measures) -> NDArray[np.bool_]:
        return measures["sentences"] < self.min
