"""A teacher: the distribution that a loss compares the scores with, whole or as its k most probable outcomes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..core.errors import UsageError
from .base import Scores, flat, upcast

if TYPE_CHECKING:
    from jaxtyping import Float, Int


@dataclass(frozen=True, slots=True)
class TopK:
    """The teacher's k most probable outcomes. What is left of its mass is one more outcome, "the rest": nothing is dropped.

    ids: [*position, k], no id twice at a position.
    top: their log-probabilities in nats, [*position, k], summing to 1 or less.
    """

    ids: Int[Tensor, "*position k"]
    top: Float[Tensor, "*position k"]

    def __post_init__(self) -> None:
        if self.ids.shape != self.top.shape:
            raise UsageError(f"top-k teacher: got ids {tuple(self.ids.shape)} and log-probabilities {tuple(self.top.shape)}.")

    @property
    def logp(self) -> Float[Tensor, "*position outcomes"]:
        """log q of the k outcomes and of the rest."""
        return _with_rest(upcast(self.top.detach()))

    def reduced(self, scores: Scores) -> Float[Tensor, "*position outcomes"]:
        """log p of the same k outcomes and of the rest, by ``scores``."""
        return _with_rest(scores.logp_of(self.ids))

    def rows(self, rows: Int[Tensor, "M"] | slice) -> TopK:
        """The teacher at some of the positions, flattened."""
        return TopK(flat(self.ids)[rows], flat(self.top)[rows])


Teacher = Scores | TopK


def _with_rest(logp: Tensor) -> Tensor:
    """With log(1 - Σ p) as one more outcome; at the least the smallest normal number, so that its logarithm exists."""
    rest = -torch.logsumexp(logp, -1, keepdim=True).expm1()
    return torch.cat([logp, rest.clamp_min(torch.finfo(logp.dtype).tiny).log()], -1)
