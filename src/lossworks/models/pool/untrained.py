"""Sources that are made, not trained."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

from ...tokens import Vocabulary
from ..language import LanguageModel, LanguageSpec


class UntrainedSpec(LanguageSpec):
    """A source that needs a vocabulary and nothing else."""

    made_by = "it has nothing to learn, and is a source for a pool: lossworks fuse RUN cache --on VALID --out POOL."

    @abstractmethod
    def made(self, vocabulary: Vocabulary, ends: bool) -> LanguageModel:
        """The source over these tokens; ``ends``: whether the end of a text is one of them."""

    def load(self, folder: Path, vocabulary: Vocabulary, *, ends: bool = True) -> LanguageModel:
        return self.made(vocabulary, ends)
