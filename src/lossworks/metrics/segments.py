"""The segments that several models are scored on, whatever their tokens: texts, or parts of one long text between characters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..data import Ragged
from ..tokens import Tokenizer

_FEWEST = 100  # characters of a segment

Blocks = Callable[[], Iterable[list[str]]]
"""Goes through the texts, some at a time; of one long text its pieces."""


@dataclass(frozen=True, slots=True)
class Segments:
    """Characters and bytes of each text, or of the segments of one text between ``cuts``."""

    blocks: Blocks
    characters: NDArray[np.int64]
    bytes: NDArray[np.int64]
    cuts: NDArray[np.int64] | None

    @classmethod
    def of(cls, blocks: Blocks, *, whole: bool) -> Segments:
        """Of texts, or of one text that is the ``whole``."""
        rows = [(len(text), len(text.encode())) for texts in blocks() for text in texts]
        characters, sizes = np.array(rows, np.int64).reshape(-1, 2).T
        if not whole:
            return cls(blocks, characters, sizes, None)
        total = int(characters.sum())
        cuts = np.linspace(0, total, max(1, min(metrics.MAX_SEGMENTS, total // _FEWEST)) + 1).astype(np.int64)
        return cls(blocks, np.diff(cuts), _bytes_between(blocks, cuts), cuts)

    @property
    def name(self) -> str:
        """What they are, in words."""
        return "texts" if self.cuts is None else f"{len(self.bytes)} segments"

    def of_tokens(self, texts: Ragged, tokenizer: Tokenizer, ends: bool) -> metrics.SegmentCounts:
        """Their counts in the texts' tokens."""
        found = unknown_of(texts, tokenizer, self.blocks)
        if self.cuts is None:
            return metrics.count_segments(texts.offsets, ends, self.bytes, *found)
        return metrics.count_between(_begins(tokenizer, self.blocks), self.cuts, self.bytes, *found)

    def texts(self) -> list[str]:
        """Their text."""
        every = [text for texts in self.blocks() for text in texts]
        if self.cuts is None:
            return every
        whole, cuts = "".join(every), self.cuts.tolist()
        return [whole[first:last] for first, last in pairwise(cuts)]


def unknown_of(texts: Ragged, tokenizer: Tokenizer, blocks: Blocks) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which tokens are unknown, and the bytes that each of these leaves unspelled; none where the text has the very mark of what
    is unknown, as the Penn Treebank's texts do. The texts are tokenized again where they hold any.
    """
    ids, mark = texts.ids[: texts.offsets[-1]], tokenizer.vocabulary.unknown
    unknown, sizes, at = np.zeros(len(ids), bool), np.zeros(len(ids), np.int64), 0
    if mark is None or not (unknown := np.asarray(ids == mark)).any():
        return unknown, sizes
    shown = tokenizer.spelling(mark)
    for _, text in _pieces(blocks):
        spans = tokenizer.spans(text)
        for token in np.flatnonzero(unknown[at : at + len(spans)]):
            piece = text[slice(*spans[token])]
            sizes[at + token] = 0 if piece == shown else len(piece.encode())
        at += len(spans)
    return unknown, sizes


def _pieces(blocks: Blocks) -> Iterator[tuple[int, str]]:
    """The pieces of one text, each with the number of its first character."""
    at = 0
    for texts in blocks():
        for piece in texts:
            yield at, piece
            at += len(piece)


def _begins(tokenizer: Tokenizer, blocks: Blocks) -> NDArray[np.int64]:
    """The character that each token of one text begins with."""
    found = [tokenizer.spans(piece)[:, 0] + at for at, piece in _pieces(blocks)]
    return np.asarray(np.maximum.accumulate(np.concatenate(found)), np.int64)


def _bytes_between(blocks: Blocks, cuts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bytes of one text between characters."""
    before, done = np.zeros(len(cuts), np.int64), 0
    for at, piece in _pieces(blocks):
        for i in np.flatnonzero((cuts > at) & (cuts <= at + len(piece))):
            before[i] = done + len(piece[: cuts[i] - at].encode())
        done += len(piece.encode())
    return np.diff(before)
