"""Texts as padded batches that a network can read: of like length together, long texts in windows that overlap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...data import Ragged

_BATCH = 16_384  # tokens of a batch, padding included


@dataclass(frozen=True, slots=True)
class Reading:
    """A batch of windows.

    ids [B, T]: what is read. scored: places in the flattened batch whose next token is asked for. positions: which of all
    the texts' positions those are.
    """

    ids: Tensor
    scored: Tensor
    positions: NDArray[np.int64]


def stride(context: int) -> int:
    """How far a full window moves, where nothing else is asked for: what is predicted then still sees half the context."""
    return max(1, context // 2)


def readings(texts: Ragged, start: int, ends: bool, context: int | None, step: int | None = None) -> Iterator[Reading]:
    """All windows of all texts, ``step`` tokens apart (None: ``stride``), in batches of like length. Every position is scored
    once.
    """
    sizes = np.diff(texts.offsets) + ends  # a text's positions; before each of them stands one token
    before = np.concatenate([[0], np.cumsum(sizes)])
    windows = _windows(sizes, context, step)
    windows = windows[np.argsort(windows[:, 2] - windows[:, 1], kind="stable")]
    first = 0
    while first < len(windows):
        near = windows[first : first + _BATCH]
        longest = near[:, 2] - near[:, 1]  # rising
        fitting = int(np.searchsorted(longest * np.arange(1, len(longest) + 1), _BATCH, side="right"))
        yield _reading(texts, windows[first : first + max(1, fitting)], start, before)
        first += max(1, fitting)


def _windows(sizes: NDArray[np.int64], context: int | None, step: int | None) -> NDArray[np.int64]:
    """Rows (text, first, last, scored from), in positions of the text."""
    found = []
    if step is None:
        step = 1 if context is None else stride(context)
    for text, size in enumerate(sizes.tolist()):
        if not size:
            continue
        reach = size if context is None else min(context, size)
        found.append((text, 0, reach, 0))
        found += [(text, last - reach, min(last, size), last - step) for last in range(reach + step, size + step, step)]
    return np.array(found, np.int64).reshape(-1, 4)


def _reading(texts: Ragged, windows: NDArray[np.int64], start: int, before: NDArray[np.int64]) -> Reading:
    longest = int((windows[:, 2] - windows[:, 1]).max())
    ids = np.full((len(windows), longest), start, np.int64)
    scored, positions = [], []
    for row, (text, first, last, since) in enumerate(windows.tolist()):
        begin = texts.offsets[text]
        if first:
            ids[row, : last - first] = texts.ids[begin + first - 1 : begin + last - 1]
        else:  # the start token stands first
            ids[row, 1:last] = texts.ids[begin : begin + last - 1]
        scored.append(np.arange(since - first, last - first) + row * longest)
        positions.append(np.arange(since, last) + before[text])
    return Reading(torch.from_numpy(ids), torch.from_numpy(np.concatenate(scored)), np.concatenate(positions))
