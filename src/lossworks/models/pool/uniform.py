"""Every token alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...data import Ragged
from ...tokens import Vocabulary
from ..base import models
from ..language import LanguageModel
from .untrained import UntrainedSpec


@models.add("uniform", source="the distribution of largest entropy")
@dataclass(frozen=True, kw_only=True)
class UniformSpec(UntrainedSpec):
    """Every token but the start is as probable as any other: what a pool is smoothed with, so that nothing is impossible."""

    def made(self, vocabulary: Vocabulary, ends: bool) -> UniformModel:
        return UniformModel(vocabulary, ends=ends)


class UniformModel(LanguageModel):
    """p = 1 / (V - 1), and 0 for the start token where that is no other's number."""

    def __init__(self, vocabulary: Vocabulary, *, ends: bool = True) -> None:
        self.vocabulary, self.ends = vocabulary, ends
        self.row = np.full(vocabulary.size, -np.log(vocabulary.size - (vocabulary.start != vocabulary.end)))
        if vocabulary.start != vocabulary.end:
            self.row[vocabulary.start] = -np.inf

    def logp(self, texts: Ragged) -> NDArray[np.float64]:
        return self.row[self.targets(texts)]

    def distributions(self, texts: Ragged) -> NDArray[np.float64]:
        return np.tile(self.row, (len(self.targets(texts)), 1))

    def start(self) -> None:
        """Nothing is remembered."""

    def advance(self, state: None, token: int) -> None:
        """Nothing is remembered."""

    def next(self, state: None) -> NDArray[np.float64]:
        return self.row

    def save(self, folder: Path) -> None:
        """The spec says all."""
