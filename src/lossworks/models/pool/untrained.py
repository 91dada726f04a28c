"""Sources that are made, not trained."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

from ...core.errors import UsageError
from ...tokens import Vocabulary
from ..language import LanguageModel, LanguageSpec


class UntrainedSpec(LanguageSpec):
    """A source that needs a vocabulary and nothing else."""

    @abstractmethod
    def made(self, vocabulary: Vocabulary, ends: bool) -> LanguageModel:
        """The source over these tokens; ``ends``: whether the end of a text is one of them."""

    def fit(self, *_: Any, **__: Any) -> LanguageModel:
        raise UsageError("there is nothing to train: it is a source for a pool. Give it beside a run: lossworks fuse RUN cache.")

    def load(self, folder: Path, vocabulary: Vocabulary, *, ends: bool = True) -> LanguageModel:
        return self.made(vocabulary, ends)
