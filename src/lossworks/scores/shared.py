"""Scores of positions that share a row of logits: several outcomes that were seen where one prediction was made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .base import Scores
from .dense import Dense, check_given, check_range

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class Shared(Scores):
    """N positions over the logits [U, V] of ``of``: position n is scored by row ``row[n]``, so each row is worked on once.

    What depends on a row alone is read from it; the rest (the best other outcome, a margin, weights of each position) takes the
    rows apart, into dense scores.
    """

    def __init__(self, of: Dense, row: Int[Tensor, "N"], target: Int[Tensor, "N"]) -> None:
        self._of = of
        self._row = row
        self.target = target
        self.classes = of.classes

    @cached_property
    @torch.enable_grad()
    def apart(self) -> Dense:
        """The same with a row of logits for each position."""
        return Dense(self.logits, self.target)

    @property
    def logits(self) -> Float[Tensor, "N V"]:
        return self._of.logits[self._row]

    @property
    def mean_logp(self) -> Float[Tensor, "N"]:
        return self._of.mean_logp[self._row]

    @property
    def entropy(self) -> Float[Tensor, "N"]:
        return self._of.entropy[self._row]

    @property
    def logsumexp(self) -> Float[Tensor, "N"]:
        return self._of.logsumexp[self._row]

    @property
    def max_other_logp(self) -> Float[Tensor, "N"]:
        return self.apart.max_other_logp

    @property
    def rest_logp(self) -> Float[Tensor, "N"]:
        return self._of.rest_logp[self._row]

    @property
    def argmax(self) -> Int[Tensor, "N"]:
        return self._of.argmax[self._row]

    def square_sum(self, weight: Float[Tensor, "V"] | None = None) -> Float[Tensor, "N"]:
        return self._of.square_sum(weight)[self._row]

    def logp_of(self, ids: Int[Tensor, "N k"]) -> Float[Tensor, "N k"]:
        return self._of.log_probabilities[self._row[:, None], ids.long()]

    def expected_logp(self, q: Float[Tensor, "*#N V"]) -> Float[Tensor, "N"]:
        return self._of.expected_logp(q)[self._row] if q.ndim == 1 else self.apart.expected_logp(q)

    def sums(self, f: Callable[..., Sequence[Tensor]], *others: Tensor | Scores) -> tuple[Float[Tensor, "N"], ...]:
        if all(isinstance(other, Tensor) and other.ndim == 1 for other in others):
            return tuple(part[self._row] for part in self._of.sums(f, *others))
        return self.apart.sums(f, *others)

    def adjusted(
        self, *, scale: float = 1.0, offset: Float[Tensor, "V"] | None = None, margin: Float[Tensor, "N"] | None = None
    ) -> Scores:
        if margin is not None:
            return self.apart.adjusted(scale=scale, offset=offset, margin=margin)
        return Shared(self._of.adjusted(scale=scale, offset=offset), self._row, self.target)

    def rows(self, rows: Int[Tensor, "M"] | slice) -> Shared:
        return Shared(self._of, self._row[rows], self.target[rows])

    def explain(self) -> str:
        return f"shared: {len(self.target)} positions over {self._of.explain().removeprefix('dense: ')}"


def shared(logits: Float[Tensor, "U V"], row: Int[Tensor, "N"], target: Int[Tensor, "N"]) -> Shared:
    """Scores of N positions, each by one of U rows of logits.

    Args:
        logits: unnormalised log-probabilities.
        row: which row each position is scored by, 0 to U - 1.
        target: the outcome that was seen at each position.

    Raises:
        UsageError: a target is not a whole number from 0 to V - 1.
    """
    check_given(target, None, None)
    made = Shared(Dense(logits, row.new_zeros(len(logits))), row, target)
    check_range(target, made.classes)
    return made
