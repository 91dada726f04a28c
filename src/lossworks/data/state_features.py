"""Texts as dense states that something pretrained gives them, which no training changes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DataError, RecordError
from .features import Features, Selected
from .ragged import Ragged


class StateFeatures(Features):
    """A state of D numbers for each text, as its direction: a state of length 1, less the training texts' mean, and divided by
    what they then are long (the root of their mean square).

    A state's float32 numbers are kept as bits in the place of ids, so shards, pieces and batches hold them as they hold those. A
    state of zeros throughout says nothing: it stays zero, and counts in neither mean nor length.
    """

    mean: NDArray[np.float32]
    length: float

    @abstractmethod
    def states(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The states [N, D] of texts, as they come."""

    def read(self, texts: Sequence[str]) -> Ragged:
        found = np.ascontiguousarray(self.states(texts), np.float32)
        return Ragged(found.reshape(-1).view(np.uint32), np.arange(len(found) + 1, dtype=np.int64) * len(self))

    def counter(self) -> Moments:
        return Moments(len(self))

    def learn(self, counter: Moments) -> None:
        if not counter.count:
            raise DataError(
                "what was pretrained knows nothing of any training text: all states are zeros. Give what knows their language."
            )
        mean = counter.total / counter.count
        spread = float(np.maximum(counter.squares / counter.count - np.square(mean), 0).sum())
        self.mean, self.length = mean.astype(np.float32), float(np.sqrt(spread)) or 1.0

    def select(self, read: Ragged) -> Selected:
        states = read.ids.view(np.float32).reshape(len(read), len(self))
        silent = ~states.any(1)
        states /= _lengths(states)
        states -= self.mean
        states /= np.float32(self.length)
        states[silent] = 0
        return Selected(read.ids, np.empty(0, np.float32), read.offsets[:-1], np.diff(read.offsets))

    def save(self, folder: Path) -> dict[str, NDArray[Any]]:
        return {"mean": self.mean, "length": np.array(self.length)}

    def load(self, folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.mean, self.length = arrays["mean"], float(arrays["length"])
        if self.mean.shape != (len(self),) or self.mean.dtype != np.float32 or not self.length > 0:
            raise RecordError(
                f"the states' mean is {self.mean.shape}, their length {self.length}; wanted ({len(self)},), above 0"
            )


class Moments:
    """Of the training texts' directions, states of zeros left out: how many there are, their sum, and that of their squares."""

    def __init__(self, size: int) -> None:
        self.count, self.total, self.squares = 0, np.zeros(size), np.zeros(size)

    def add(self, read: Ragged, use: NDArray[np.bool_]) -> None:
        """Look at some states; those of texts marked in ``use`` count."""
        states = read.ids.view(np.float32).reshape(len(read), -1)[use]
        states = states[states.any(1)]
        states = (states / _lengths(states)).astype(np.float64)
        self.count += len(states)
        self.total += states.sum(0)
        self.squares += np.square(states).sum(0)


def _lengths(states: NDArray[np.float32]) -> NDArray[np.float32]:
    """The length of each state [N, 1]; 1 of one of zeros."""
    lengths: NDArray[np.float32] = np.linalg.norm(states, axis=1, keepdims=True)
    return np.where(lengths > 0, lengths, np.float32(1))
