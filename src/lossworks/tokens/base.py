"""What a tokenizer is: texts to token ids and back, learned from the training texts, kept in one file."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import OutOfMemory
from ..core.memory import available, in_gb, taken
from ..core.registry import Registry
from ..record import write_json
from ..record.scratch import temporary
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    import tokenizers as library

FORMAT = 1
UNKNOWN, START, END = "<unk>", "<s>", "</s>"
"""How the tokens that are no text are spelled."""
SPECIALS = (UNKNOWN, START, END)

Encoded = tuple[NDArray[Any], NDArray[np.int64]]
"""The token ids of N texts end to end, and the N + 1 offsets at which each text starts."""
Progress = Callable[[int], None]


class Tokenizer(ABC):
    """A learned tokenizer. ``lossless``: whether ``decode`` gives back every text that holds no unknown token.

    notes: remarks on the texts it was learned from.
    """

    lossless: bool
    vocabulary: Vocabulary
    notes: tuple[str, ...] = ()

    @property
    def dtype(self) -> type[np.uint16] | type[np.uint32]:
        """The narrowest type that holds every token number."""
        return np.uint16 if self.vocabulary.size <= 1 << 16 else np.uint32

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> Encoded:
        """The tokens of texts, without marks of where a text starts or ends."""

    @abstractmethod
    def decode(self, ids: Sequence[int] | NDArray[Any]) -> str:
        """The text that tokens spell."""

    @abstractmethod
    def spans(self, text: str) -> NDArray[np.int64]:
        """Where each token of a text stands in it [tokens, 2]: its first character, and the one after its last. A character that
        several tokens share belongs whole to each of them.
        """

    @abstractmethod
    def spelling(self, token: int) -> str:
        """How one token is shown."""

    @abstractmethod
    def save(self, path: Path) -> None:
        """Write ``tokenizer.json``; ``load`` reads it."""

    def digest(self) -> str:
        """What tells it from any other, also from one of the same tokens that divides texts otherwise."""
        with temporary() as scratch:
            self.save(path := scratch / "tokenizer.json")
            return hashlib.blake2b(path.read_bytes(), digest_size=4).hexdigest()

    def library(self) -> library.Tokenizer | None:
        """The same as a tokenizer of the ``tokenizers`` library, for programs that know no other; None where it has none such."""
        return None


@dataclass(frozen=True, kw_only=True)
class TokenizerSpec(ABC):
    """The hyperparameters of a kind of tokenizer, as a spec such as ``"words:min_count=2"`` spells them."""

    @abstractmethod
    def learn(
        self, blocks: Iterable[Sequence[str]], progress: Progress = lambda texts: None, languages: Sequence[str] | None = None
    ) -> Tokenizer:
        """Learn the vocabulary from blocks of training texts.

        Args:
            blocks: the texts, some at a time.
            progress: called with the number of texts read.
            languages: the language of each text, for those that learn for each language; None: not known.

        Raises:
            DataError: there is nothing to learn.
            UsageError: it needs the languages, and gets none.
        """

    @abstractmethod
    def restore(self, saved: dict[str, Any]) -> Tokenizer:
        """The tokenizer of what ``save`` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is damaged.
        """


tokenizers: Registry[TokenizerSpec] = Registry(
    "tokenizer", "lossworks.tokens", TokenizerSpec, "Give words, chars, bytes, bpe:size=8000, or a file."
)
build, render = tokenizers.build, tokenizers.render
"""From a spec, and back to it."""


def write(path: Path, spec: TokenizerSpec, **learned: Any) -> None:
    """Write a tokenizer of ours as plain JSON: its format, its spec, and what it has learned."""
    write_json(path, {"format": FORMAT, "tokenizer": render(spec), **learned})


def counted(texts: Iterable[Sequence[str]], progress: Progress) -> Iterable[Sequence[str]]:
    """The same blocks, with word of how many texts have been read after each.

    Raises:
        OutOfMemory: what was taken meanwhile leaves less than it for a vocabulary to be made of the words.
    """
    read, before = 0, taken()
    for block in texts:
        yield block
        read += len(block)
        progress(read)
        if (needed := taken() - before) > (there := available()):
            raise too_many(needed, there)


def too_many(needed: float, there: float) -> OutOfMemory:
    """The one error for words that there is no memory for: what would be ``needed`` yet, and what is free."""
    return OutOfMemory(
        "the training texts have too many different words, all of which are counted in memory: to make a vocabulary of them "
        f"would take {in_gb(needed)} or more, and {in_gb(there)} are free. `lossworks data prepare` learns a tokenizer from 100 "
        "MB of the texts (--tokenizer words, or bpe:size=8000), and fit takes it from there."
    )
