"""Networks over hashed n-grams in few bytes: their tables of weights rounded, and rows of nothing but zeros left out.

Every weight is rounded to a whole number of steps, the finer the more its feature matters (``HashedFeatures.importance``): so
each takes the same part in the error, which is then least for a given number of bits (reverse water-filling; Cover and Thomas
2006, 10.3.3). What matters little comes to zero by itself, and there is no second rule of which features stay. The whole numbers
are written in as many bytes as each needs, and deflated, so that frequent ones take few bits: uniform steps with an entropy code
lie within a quarter of a bit of what any code can do (Gray and Neuhoff 1998, "Quantization", section III).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import HashedFeatures
from ..record.tensors import map_tensors

FILE = "quantized.safetensors"
TABLE = "network.table.weight"
_BUCKETS, _WEIGHTS = "features.buckets", "features.weights"

Arrays = dict[str, NDArray[Any]]
"""A predictor's arrays by the names that they have in its file."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table [F, W] to be rounded, its rows by rising bucket [F]; each is of a ``kind`` [F], whose features have one weight and
    importance [kinds].
    """

    rows: NDArray[np.float64]
    buckets: NDArray[np.int64]
    kind: NDArray[np.int64]
    weights: NDArray[np.float32]
    importances: NDArray[np.float64]

    @classmethod
    def of(cls, features: HashedFeatures, rows: NDArray[Any], *, shifts: bool) -> Table:
        """From a trained table. ``shifts``: whether adding one number to all of a row's weights changes no answer; their mean is
        then made 0.
        """
        order = np.argsort(features.buckets)
        pairs = np.stack([-features.weights.astype(np.float64), features.importance()])[:, order]
        (weights, importances), kind = np.unique(
            pairs, axis=1, return_inverse=True
        )  # the heaviest, most of them, by small numbers
        whole = rows[order].astype(np.float64)
        whole = whole - whole.mean(1, keepdims=True) if shifts else whole
        return cls(whole, features.buckets[order].astype(np.int64), kind.reshape(-1), (-weights).astype(np.float32), importances)

    def codes(self, step: float) -> NDArray[np.int64]:
        """The rows in whole numbers of the step by each one's importance."""
        return np.rint(self.rows * (self.importances[self.kind, None] / step)).astype(np.int64)

    def rounded(self, step: float) -> Arrays:
        """What is kept of it: three streams of whole numbers, and a weight and a scale for each kind of row."""
        codes = self.codes(step)
        kept = np.flatnonzero(codes.any(1))
        kinds, kind = np.unique(self.kind[kept], return_inverse=True)
        return {
            "gaps": pack(np.diff(self.buckets[kept], prepend=-1) - 1),
            "kinds": pack(kind),
            "codes": pack(zigzag(codes[kept].T.reshape(-1))),
            "weights": self.weights[kinds],
            "scales": (step / self.importances[kinds]).astype(np.float32),
        }

    def error(self, step: float) -> float:
        """The rounding errors of all weights as a share of them (root mean square, each by its importance)."""
        moved = self.rows * self.importances[self.kind, None]
        missed = self.codes(step) * step - moved
        return float(np.sqrt((missed**2).sum() / max(float((moved**2).sum()), 1e-300)))

    @property
    def largest(self) -> float:
        """The step from which on nothing is kept."""
        return 2 * float(np.abs(self.rows * self.importances[self.kind, None]).max(initial=0.0))


def restored(kept: Mapping[str, NDArray[Any]]) -> Arrays:
    """The arrays of a predictor of what ``Table.rounded`` gave.

    Raises:
        ValueError, zlib.error: they do not fit together.
    """
    buckets, kind = np.cumsum(unpack(kept["gaps"]) + 1) - 1, unpack(kept["kinds"])
    if len(kind) != len(buckets) or (len(kind) and not 0 <= kind.min() <= kind.max() < len(kept["weights"])):
        raise ValueError("the features' kinds do not fit their buckets")
    folded = unpack(kept["codes"])
    codes = (folded >> 1) ^ -(folded & 1)
    width = len(codes) // max(len(buckets), 1)
    table = codes.reshape(width, len(buckets)).T * kept["scales"][kind].astype(np.float64)[:, None]
    return {
        _BUCKETS: buckets.astype(np.uint32),
        _WEIGHTS: kept["weights"][kind].astype(np.float32),
        TABLE: np.ascontiguousarray(table, np.float32),
    }


def read_quantized(folder: Path) -> Arrays:
    """All arrays of a predictor, the table as whole float32 again.

    Raises:
        RecordError: the file is missing or damaged. ValueError: its parts do not fit together.
    """
    found = {name: np.array(array) for name, array in map_tensors(folder / FILE)[0].items()}
    names = ("gaps", "kinds", "codes", "weights", "scales")
    try:
        return restored({name: found.pop(name) for name in names}) | found
    except zlib.error as error:
        raise ValueError(f"{FILE} is damaged: {error}") from None


def zigzag(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """0, -1, 1, -2, … as 0, 1, 2, 3, …"""
    return np.asarray((values << 1) ^ (values >> 63))


def pack(values: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Whole numbers of 0 and more, 7 bits in each of as many bytes as one needs (LEB128), deflated."""
    left = values.astype(np.uint64)
    sizes = np.ones(len(left), np.int64)
    for size in range(1, 10):
        sizes += left >= np.uint64(1 << 7 * size)
    ends = np.cumsum(sizes)
    stream = np.empty(int(ends[-1]) if len(ends) else 0, np.uint8)
    for place in range(int(sizes.max(initial=0))):
        here = sizes > place
        more = (sizes[here] > place + 1).astype(np.uint64) << np.uint64(7)
        stream[(ends - sizes)[here] + place] = ((left[here] >> np.uint64(7 * place)) & np.uint64(127)) | more
    return np.frombuffer(zlib.compress(stream.tobytes(), 9), np.uint8)


def unpack(packed: NDArray[np.uint8]) -> NDArray[np.int64]:
    """What ``pack`` was given.

    Raises:
        ValueError, zlib.error: it gave something else.
    """
    stream = np.frombuffer(zlib.decompress(packed.tobytes()), np.uint8)
    ends = np.flatnonzero(stream < 128) + 1
    if (int(ends[-1]) if len(ends) else 0) != len(stream):
        raise ValueError("a stream of whole numbers breaks off")
    if not len(ends):
        return np.empty(0, np.int64)
    starts = np.concatenate([[0], ends[:-1]])
    places = np.arange(len(stream)) - np.repeat(starts, ends - starts)
    parts = (stream & 127).astype(np.uint64) << (7 * np.minimum(places, 9)).astype(np.uint64)
    return np.add.reduceat(parts, starts).view(np.int64)
