"""Texts as their tokens in order, for networks that read them so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import tokens
from ..core.kernels import kernel
from ..core.threads import share
from ..tokens import Tokenizer, TokenizerSpec
from .features import Features, Selected
from .ragged import Ragged

_FILE = "tokenizer.json"


@dataclass(frozen=True, slots=True)
class Marks:
    """The tokens ``before`` and ``after`` each text's own; ``blank``: an empty text where there are none."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    blank: int

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.before) + len(self.after)


@dataclass(slots=True)
class OrderedFeatures(Features):
    """A text's marks and tokens, ``context`` of them in all: the mark of its start first; an empty text is that alone.

    spec: what the tokenizer is learnt by. Where a text goes on, ``read`` gives a token more, so that it is known to be cut.
    """

    spec: TokenizerSpec
    context: int
    notes: tuple[str, ...] = ()
    _learnt: Tokenizer | None = None

    @property
    def tokenizer(self) -> Tokenizer:
        """What was learnt."""
        assert self._learnt is not None
        return self._learnt

    def __len__(self) -> int:
        return self.tokenizer.vocabulary.size

    def prepare(self, training: Iterable[Sequence[str]]) -> None:
        self._learnt = self.spec.learn(training)

    def read(self, texts: Sequence[str]) -> Ragged:
        marks, (ids, starts) = self.marks(), self.tokenizer.encode(texts)
        room = self.context - marks.count
        sizes = np.diff(starts)
        offsets = np.zeros(len(texts) + 1, np.int64)
        np.cumsum(np.maximum(1, marks.count + np.minimum(sizes, room + 1)), out=offsets[1:])
        found = np.empty(offsets[-1], np.uint32)
        share(_between, len(found), ids, starts, offsets, room, *map(_numbers, (marks.before, marks.after)), marks.blank, found)
        return Ragged(found, offsets)

    def marks(self) -> Marks:
        """What stands around each text."""
        start = self.tokenizer.vocabulary.start
        return Marks((start,), (), start)

    def silent(self) -> int:
        """A token that says nothing: the unknown one, or else what stands for an empty text."""
        unknown = self.tokenizer.vocabulary.unknown
        return self.marks().blank if unknown is None else unknown

    def counter(self) -> TokenTally:
        return TokenTally(self.context, self.tokenizer.vocabulary.unknown, self.marks())

    def learn(self, counter: TokenTally) -> None:
        self.notes = (*self.tokenizer.notes, *counter.notes("held-out texts"))

    def select(self, read: Ragged) -> Selected:
        lengths = np.minimum(np.diff(read.offsets), self.context)
        return Selected(read.ids, np.empty(0, np.float32), read.offsets[:-1], lengths)

    def remarks(self, blocks: Iterable[Sequence[str]]) -> list[str]:
        counter = self.counter()
        for texts in blocks:
            counter.add(self.read(texts), np.zeros(len(texts), np.bool_))
        return counter.notes("these texts")

    def save(self, folder: Path) -> dict[str, NDArray[Any]]:
        self.tokenizer.save(folder / _FILE)
        return {}

    def load(self, folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._learnt = tokens.load(folder / _FILE)


class TokenTally:
    """How many texts are longer than ``context``, and how many tokens of those held out are ``unknown``."""

    def __init__(self, context: int, unknown: int | None, marks: Marks) -> None:
        self._context, self._unknown, self._marks = context, unknown, marks
        self._texts = self._cut = self._held_out = self._strange = 0

    def add(self, read: Ragged, use: NDArray[np.bool_]) -> None:
        """Look at some texts; those marked in ``use`` are training texts."""
        lengths = np.diff(read.offsets)
        self._texts += len(lengths)
        self._cut += int((lengths > self._context).sum())
        held_out = read.ids[: read.offsets[-1]][np.repeat(~use, lengths)]
        self._held_out += len(held_out) - self._marks.count * int((~use).sum())
        self._strange += 0 if self._unknown is None else int((held_out == self._unknown).sum())

    def notes(self, held_out: str) -> list[str]:
        """What there is to tell, in words; ``held_out``: what to call the texts that are no training texts."""
        told = []
        if self._cut:
            marks = self._marks
            within = " with the mark of the start" if marks.count == 1 else f" with {marks.count} marks" if marks.count else ""
            told.append(
                f"{self._cut:,} of {self._texts:,} texts are longer than the context, {self._context} tokens{within}, and are "
                "cut there; a larger context reads on"
            )
        if self._strange:
            share_ = 100 * self._strange / self._held_out
            told.append(f"{share_:.2g} % of the tokens of {held_out} are unknown to the tokenizer, all read as one")
        return told


def _numbers(marks: tuple[int, ...]) -> NDArray[np.uint32]:
    return np.array(marks, np.uint32)


@kernel
def _between(part, parts, ids, starts, offsets, room, before, after, blank, found):  # type: ignore[no-untyped-def]
    """Each text's tokens between its marks, as many as there is ``room`` for; where it goes on, its next one behind them."""
    texts = len(starts) - 1
    for text in range(texts * part // parts, texts * (part + 1) // parts):
        of, to = ids[starts[text] : starts[text + 1]], found[offsets[text] : offsets[text + 1]]
        taken, first = min(len(of), room), len(before)
        to[0] = blank
        for place in range(first):
            to[place] = before[place]
        for place in range(taken):
            to[first + place] = of[place]
        for place in range(len(after)):
            to[first + taken + place] = after[place]
        if len(of) > room:
            to[len(to) - 1] = of[room]
