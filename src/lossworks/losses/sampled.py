"""Losses that look at the target and a few noise outcomes instead of at every outcome."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..core.errors import UsageError
from ..scores.sampled import Candidates, Noise, candidates
from .base import Loss

if TYPE_CHECKING:
    from jaxtyping import Float, Int


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledLoss(Loss, ABC):
    """A loss over the target and ``samples`` noise outcomes, read through ``Candidates``; for training, not for judging.

    Domain: samples >= 1.
    """

    samples: int = 64

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise UsageError(f"samples is {self.samples}; wanted 1 or more.")

    @abstractmethod
    def values(self, candidates: Candidates) -> Float[Tensor, "*position"]:
        """One value a position; position i's value depends on position i and the noise alone."""

    def __call__(
        self,
        hidden: Float[Tensor, "*position d"],
        weight: Float[Tensor, "V d"],
        target: Int[Tensor, "*position"],
        *,
        noise: Noise,
        generator: torch.Generator | None = None,
        bias: Float[Tensor, "V"] | None = None,
    ) -> Float[Tensor, "*position"]:
        """One value a position, against ``samples`` outcomes drawn from ``noise`` for all positions together.

        Args:
            hidden: what the head reads.
            weight: the head, one row an outcome. Only the rows of targets and noise are read.
            target: the outcome that was seen.
            noise: the proposal.
            generator: where the draws come from; the same state gives the same noise.
            bias: the head's bias, one number an outcome.

        Raises:
            UsageError: the shapes do not fit, or the noise is over another number of outcomes.
        """
        ids = noise.draw(self.samples, generator)
        return self.values(candidates(hidden, weight, target, ids, noise=noise, bias=bias))
