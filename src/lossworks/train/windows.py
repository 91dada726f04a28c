"""Texts as padded rows of tokens for a network: cut to windows, batched with rows of about their length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ..batches import Ragged, epoch_order
from ..core.errors import DataError, UsageError

if TYPE_CHECKING:
    from jaxtyping import Int
    from torch import Tensor


@dataclass(slots=True)
class Windows:
    """Rows of tokens to predict, the shortest first: row i is ``ids[first[i] : first[i] + lengths[i]]``."""

    ids: NDArray[np.int32]
    first: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.first)

    def batches(self, tokens: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
        """The rows of each step of an epoch, no more than ``tokens`` with their padding unless one row has more.

        Every epoch has as many steps. Rows of one length come in another order, and so do the steps.
        """
        order = epoch_order(seed, epoch, len(self), "rows")
        order = order[np.argsort(self.lengths[order], kind="stable")]
        cut = list(_cut(order, self.lengths, tokens))
        return [cut[number] for number in epoch_order(seed, epoch, len(cut), "batches")]

    def padded(self, rows: NDArray[np.int64], device: torch.device) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B"]]:
        """The tokens of some rows, padded on the right, and how many each has."""
        lengths = self.lengths[rows]
        steps = np.minimum(np.arange(lengths.max()), lengths[:, None] - 1)
        ids = self.ids[self.first[rows][:, None] + steps].astype(np.int64)
        return torch.from_numpy(ids).to(device), torch.from_numpy(lengths).to(device)

    def parts(self, rows: NDArray[np.int64], tokens: int) -> Iterator[NDArray[np.int64]]:
        """Some rows in parts of no more than ``tokens`` with their padding, or of one row."""
        return _cut(rows, self.lengths, tokens)


def windows(texts: Ragged, end: int | None, size: int) -> Windows:
    """The texts, each with its ``end`` (None: they have none), in rows of ``size`` tokens at most. What a row is cut off from
    it knows nothing of.

    Raises:
        DataError: there is no token.
        UsageError: the size is below 1.
    """
    if size < 1:
        raise UsageError(f"window is {size}; wanted 1 or more tokens.")
    ids, offsets = texts.ids[: texts.offsets[-1]].astype(np.int32), texts.offsets
    if end is not None:
        ids, offsets = np.insert(ids, offsets[1:], end), offsets + np.arange(len(offsets))
    if not len(ids):
        raise DataError("the texts hold no tokens, so there is nothing to predict.")
    whole = np.diff(offsets)
    counts = -(-whole // size)
    number = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)  # of the window in its text
    lengths = np.minimum(size, np.repeat(whole, counts) - size * number)
    first = np.repeat(offsets[:-1], counts) + size * number
    order = np.argsort(lengths, kind="stable")
    return Windows(ids, first[order], lengths[order])


def _cut(rows: NDArray[np.int64], lengths: NDArray[np.int64], tokens: int) -> Iterator[NDArray[np.int64]]:
    """Rows of rising length in parts, cut from the longest on."""
    end = len(rows)
    while end:
        begin = max(0, end - max(1, tokens // int(lengths[rows[end - 1]])))
        yield rows[begin:end]
        end = begin
