"""Texts of unequal length, laid out step by step: all first tokens, all second ones, …, the longest text first.

The texts that go on are then always the first ones of a step, so a batch moves on in slices without padding or masks, and
each number that is computed belongs to a token. A batch that is too long for the memory is cut into *segments* of steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...core.errors import DataError
from ...data import Ragged


@dataclass(slots=True)
class Packed:
    """Tokens of some texts, time by time. Row ``offsets[t] + i`` is the token that text i of the batch has at step t.

    ids: the tokens [n].
    offsets: where each step begins, [T + 1]; ever fewer texts go on.
    first: the position of each text's first token among all positions [B].
    """

    ids: Tensor
    offsets: NDArray[np.int64]
    first: NDArray[np.int64]

    @property
    def width(self) -> int:
        """How many texts there are."""
        return int(self.offsets[1])

    @property
    def positions(self) -> NDArray[np.int64]:
        """The position of each row among all positions [n]."""
        return _positions(self.first, self.offsets)

    def segments(self, rows: int) -> list[Segment]:
        """The batch in parts of about ``rows`` rows, which overlap by one step: each begins with the last of the one before."""
        last, found, begin = len(self.offsets) - 1, list[Segment](), 0
        while begin < last:
            end = int(np.searchsorted(self.offsets, self.offsets[begin] + rows, "right")) - 1
            end = min(max(end, begin + 1), last)
            first = max(begin - 1, 0)
            window = slice(int(self.offsets[first]), int(self.offsets[end]))
            found.append(Segment(self.ids[window], self.offsets[first : end + 1] - self.offsets[first], begin > 0, window))
            begin = end
        return found


@dataclass(slots=True)
class Segment:
    """Some steps of a batch. ``known``: the first of them is the last of the segment before.

    rows: which rows of the batch they are.
    """

    ids: Tensor
    offsets: NDArray[np.int64]
    known: bool
    rows: slice

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def new(self) -> slice:
        """Its rows without those of a known first step."""
        return slice(int(self.offsets[1]) if self.known else 0, int(self.offsets[-1]))

    @property
    def pairs(self) -> tuple[Tensor, slice]:
        """Of all steps but the first: for each row, that of the same text one step before; and which rows these are."""
        widths = np.diff(self.offsets)
        before = np.repeat(widths[:-1], widths[1:])
        rows = np.arange(self.offsets[1], self.offsets[-1])
        return torch.from_numpy(rows - before).to(self.ids.device), slice(int(self.offsets[1]), int(self.offsets[-1]))

    @property
    def even(self) -> bool:
        """Whether all its steps are as wide as the first."""
        return bool(self.offsets[-1] == self.offsets[1] * len(self))

    def step(self, number: int) -> slice:
        """The rows of a step."""
        return slice(int(self.offsets[number]), int(self.offsets[number + 1]))


def pack(
    texts: Ragged, vocabulary: int, end: int | None, width: int, rows: int, device: torch.device | str = "cpu"
) -> Iterator[Packed]:
    """The texts in batches of ``width`` at most, each half as long as the longest of its batch or longer; no empty ones.

    Args:
        vocabulary: how many tokens there are.
        end: the token that follows each text; None: texts have no end.
        rows: of a batch, about, unless a single text has more.

    Raises:
        DataError: a token is not in the vocabulary.
    """
    flat = texts.ids[: texts.offsets[-1]].astype(np.int32)
    offsets = texts.offsets
    if len(flat) and not (flat.min() >= 0 and flat.max() < vocabulary):
        raise DataError(f"a text holds the token {int(flat.max())}; the vocabulary has 0 to {vocabulary - 1}.")
    if end is not None:
        flat, offsets = np.insert(flat, offsets[1:], end), offsets + np.arange(len(offsets))
    lengths = np.diff(offsets)
    order = np.argsort(-lengths, kind="stable")
    order = order[: int((lengths > 0).sum())]
    begin = 0
    while begin < len(order):
        longest = int(lengths[order[begin]])
        alike = int(np.searchsorted(-lengths[order[begin:]], -longest / 2, "right"))
        chosen = order[begin : begin + min(alike, width, max(1, rows // longest))]
        yield _packed(flat, offsets[chosen], lengths[chosen], device)
        begin += len(chosen)


def _packed(flat: NDArray[np.int32], first: NDArray[np.int64], lengths: NDArray[np.int64], device: torch.device | str) -> Packed:
    """A batch of texts that begin at ``first``, lengths falling."""
    widths = len(lengths) - np.searchsorted(lengths[::-1], np.arange(lengths[0]), "right")
    offsets = np.zeros(len(widths) + 1, np.int64)
    np.cumsum(widths, out=offsets[1:])
    return Packed(torch.from_numpy(flat[_positions(first, offsets)]).to(device), offsets, first)


def _positions(first: NDArray[np.int64], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    step = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    return first[np.arange(offsets[-1]) - offsets[step]] + step
