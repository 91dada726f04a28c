"""Finished runs as columns, checked; and what is to be forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..core.errors import DataError, UsageError
from .forms import Array

NDArrayInt = np.ndarray[tuple[int, ...], np.dtype[np.intp]]

ONE_SIZE = 0.05  # models whose parameters differ by less than this share are of one size
FEWEST = 3  # sizes that a law can be fitted to
REPEATS = 15.39  # passes that tokens are worth repeating: R*_D of Muennighoff et al. 2023, arXiv:2305.16264, section 6
FLOPS = 6  # of a parameter and a token of training, forward and backward: Kaplan et al. 2020, section 2.1


@dataclass(frozen=True, slots=True)
class Target:
    """A run to forecast. ``non_embedding``: its parameters without embeddings; ``unique``: its different tokens, if fewer."""

    params: float
    tokens: float
    non_embedding: float | None = None
    unique: float | None = None

    def __post_init__(self) -> None:
        for name in ("params", "tokens", "non_embedding", "unique"):
            value = getattr(self, name)
            if value is not None and not (np.isfinite(value) and value > 0):
                raise UsageError(f"{name} of the run to forecast is {value}; wanted a number above 0.")

    @property
    def compute(self) -> float:
        """The floating-point operations of its training."""
        return FLOPS * self.params * self.tokens


@dataclass(frozen=True, slots=True)
class Runs:
    """Finished runs, a row each.

    Args:
        params, tokens, loss: of each run: its weights, the tokens it was trained on (repeated ones counted each time), and its
            held-out loss in nats a token.
        non_embedding: its weights without embeddings.
        unique: its different tokens; those trained on, where it is not given.
        names: how messages call the rows.
        seconds: that its training took. memory: the most bytes that its process held.
        flags: what is to be said of single rows: that a rate was not tuned, that a schedule was not finished.
        source: where the rows are from.

    Raises:
        DataError: a number is missing, not finite or not above 0; runs are the same; there are fewer than three.
    """

    params: Array
    tokens: Array
    loss: Array
    non_embedding: Array | None = None
    unique: Array | None = None
    names: Sequence[str] = ()
    seconds: Array | None = None
    memory: Array | None = None
    flags: Sequence[str] = ()
    source: str = "runs"
    compute: Array = field(init=False)

    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in ("params", "tokens", "loss", "non_embedding", "unique")}
        for name, values in given.items():
            if values is not None:
                object.__setattr__(self, name, np.asarray(values, dtype=np.float64))
                self._check(name, getattr(self, name))
        object.__setattr__(self, "compute", FLOPS * self.params * self.tokens)
        if len(self.loss) < FEWEST:
            raise DataError(f"{self.source} has {len(self.loss)} finished runs; a scaling law needs {FEWEST} sizes or more.")
        self._check_duplicates()

    def __len__(self) -> int:
        return len(self.loss)

    def name(self, row: int) -> str:
        """How messages call a row."""
        return self.names[row] if self.names else f"row {row + 1}"

    def effective(self, tokens: Array, unique: Array | None) -> Array:
        """What repeated tokens are worth as different ones: each pass less than the one before."""
        if unique is None:
            return tokens
        once = np.minimum(tokens, unique)
        worth: Array = once + once * REPEATS * -np.expm1(-(tokens / once - 1) / REPEATS)
        return worth

    def _check(self, name: str, values: Array) -> None:
        wrong = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
        if len(wrong):
            raise DataError(
                f"{self.source}, {self.name(int(wrong[0]))}: {name} is {values[wrong[0]]:g}; wanted a finite number above 0. "
                "Leave the run out, as one that failed says nothing of larger ones."
            )

    def _check_duplicates(self) -> None:
        rows = np.stack([self.params, self.tokens, self.loss], 1)
        _, first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        for row, own in enumerate(first[which.ravel()]):
            if own != row:
                raise DataError(
                    f"{self.source}: {self.name(row)} is {self.name(int(own))} again: the same parameters, tokens and loss. "
                    "A run counted twice makes intervals too narrow; leave it out."
                )


def sizes(values: Array) -> NDArrayInt:
    """The number of each value's size, smallest first; values within 5 % of the smallest of a size are of that size."""
    order, found = np.argsort(values, kind="stable"), np.zeros(len(values), dtype=np.intp)
    number, least = -1, -np.inf
    for row in order:
        if values[row] > least * (1 + ONE_SIZE) or number < 0:
            number, least = number + 1, float(values[row])
        found[row] = number
    return found
