"""A trained language model with its tokenizer, and its files."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from .. import tokens
from ..core.errors import LossworksError, RecordError
from ..data import Ragged
from ..models.base import build_language, render
from ..models.language import LanguageModel, LanguageSpec
from ..record import read_object, write_json
from ..tokens import Tokenizer, Vocabulary

_FORMAT = 1
TASK = "lm"


class Tokens(NamedTuple):
    """What a language model predicts: tokens, their special ones among them, and (``ends``) the end of a text."""

    tokenizer: Tokenizer
    vocabulary: Vocabulary
    ends: bool


def same_tokens(names: Sequence[str], models: Sequence[Tokens]) -> str:
    """Which of the language models has other tokens than the first, and how; empty where all have the same."""
    first = models[0]
    for name, other in zip(names[1:], models[1:], strict=True):
        if other.vocabulary.size != first.vocabulary.size:
            sizes = f"{other.vocabulary.size:,} against {first.vocabulary.size:,}"
            return f"{name} has other tokens than {names[0]} ({sizes})"
        if other.vocabulary != first.vocabulary or other.tokenizer.digest() != first.tokenizer.digest():
            return f"{name} has other tokens than {names[0]}, or divides texts into them otherwise"
        if other.ends != first.ends:
            return f"{name} and {names[0]} differ in whether texts have an end (--document-unit)"
    return ""


@dataclass(slots=True)
class TextLanguage:
    """A language model over raw text. ``tokenizer`` is a copy of what is given, with the model's own special tokens."""

    spec: LanguageSpec
    tokenizer: Tokenizer
    model: LanguageModel

    def __post_init__(self) -> None:
        self.tokenizer = copy.copy(self.tokenizer)
        self.tokenizer.vocabulary = replace(self.model.vocabulary, unknown=self.tokenizer.vocabulary.unknown)

    @property
    def tokens(self) -> Tokens:
        """What it predicts."""
        return Tokens(self.tokenizer, self.model.vocabulary, self.model.ends)

    def encode(self, texts: Sequence[str]) -> Ragged:
        """The texts in the model's tokens."""
        return Ragged(*self.tokenizer.encode(texts))

    def spelled(self, texts: Ragged) -> list[str]:
        """How what stands at each position is shown."""
        return [self.tokenizer.spelling(int(token)) for token in self.model.targets(texts)]

    def save(self, folder: Path) -> None:
        """Write the model's file or files, ``tokenizer.json`` and ``config.json``, each in one step."""
        self.model.save(folder)
        self.tokenizer.save(folder / "tokenizer.json")
        config = {"format": _FORMAT, "task": TASK, "model": render(self.spec), "ends": self.model.ends}
        write_json(folder / "config.json", config)

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> TextLanguage:
        """Read what ``save`` wrote, the model to run on ``device``. Nothing in the files is ever executed.

        Raises:
            RecordError: a file is missing, truncated, or does not fit the others.
        """
        config = read_object(folder / "config.json")
        tokenizer = tokens.load(folder / "tokenizer.json")
        try:
            if (config["format"], config["task"], type(config["ends"])) != (_FORMAT, TASK, bool):
                raise RecordError(f"format {config['format']!r} of task {config['task']!r}; this version reads format {_FORMAT}")
            spec = build_language(config["model"])
            model = spec.load(folder, tokenizer.vocabulary, ends=config["ends"])
        except (KeyError, TypeError, ValueError, LossworksError) as error:
            if isinstance(error, RecordError) and str(folder) in str(error):
                raise
            raise RecordError(f"{folder}: config.json and the model's files do not fit together ({error}). Fit again.") from None
        return cls(spec, tokenizer, model.to(device))
