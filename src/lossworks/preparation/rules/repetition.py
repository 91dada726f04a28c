"""Rules on n-grams of tokens (words, or characters where words are not parted) that a text repeats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core import domains
from ..measures import Measures
from .base import Rule, registry
from .sizes import GOPHER


@dataclass(frozen=True)
class _NGrams(Rule):
    n: int = 2
    max: float = 0.2
    _kind = ""

    def __post_init__(self) -> None:
        domains.count(self, "n")
        domains.fraction(self, "max")

    @property
    def ngrams(self) -> str:
        return f"{self._kind}{self.n}"

    def fails(self, measures: Measures) -> NDArray[np.bool_]:
        return measures[self.ngrams] > self.max * measures["token_letters"]


@registry.add("top_ngram", source=GOPHER)
@dataclass(frozen=True)
class TopNgram(_NGrams):
    """At most this share of the letters is in the most frequent n-gram, where it stands more than once."""

    _kind = "top"


@registry.add("repeated_ngrams", source=GOPHER)
@dataclass(frozen=True)
class RepeatedNgrams(_NGrams):
    """At most this share of the letters is in n-grams that stood before in the text, each letter counted once."""

    n: int = 5
    max: float = 0.15
    _kind = "repeated"
