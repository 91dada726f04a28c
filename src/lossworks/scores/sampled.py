"""A few of the outcomes in place of all: the target and K noise outcomes, drawn from a proposal q and shared by all positions.

Only the sampled rows of the head's weight are read, so a step costs as much for a vocabulary of a million as for one of
a thousand. A noise outcome stands for the K q times that it is expected among the draws; ``log_count`` is the logarithm of that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from ..core.errors import UsageError
from .base import upcast
from .dense import Dense, check_given, check_range

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


class Noise:
    """A proposal: outcomes drawn with replacement, each with a known probability above 0.

    Args:
        weights: how probable each outcome is, up to a factor.

    Raises:
        UsageError: weights that are not finite or not above 0. What is never drawn would never be learned to be improbable.
    """

    def __init__(self, weights: Float[Tensor, "V"]) -> None:
        if weights.ndim != 1 or not len(weights) or not ((weights > 0) & weights.isfinite()).all():
            raise UsageError(
                "noise: got weights that are not all finite and above 0. Add 1 to counts, so that each can be drawn."
            )
        total = weights.double().cumsum(0)
        self._cumulative = total / total[-1]
        self._logp = weights.double().log() - total[-1].log()

    @classmethod
    def uniform(cls, classes: int, device: torch.device | str | None = None) -> Self:
        """Every outcome alike."""
        return cls(torch.ones(classes, device=device))

    @classmethod
    def log_uniform(cls, classes: int, device: torch.device | str | None = None) -> Self:
        """log((i + 2) / (i + 1)) / log(V + 1) for outcome i: Zipf's law, where ids are sorted, the most frequent first."""
        return cls((1 / torch.arange(1, classes + 1, device=device, dtype=torch.float64)).log1p())

    @classmethod
    def from_counts(cls, counts: Float[Tensor, "V"] | Int[Tensor, "V"], power: float = 0.75) -> Self:
        """Counts to a power; 1 is the unigram distribution, and 3/4 that of Mikolov et al. 2013, sec. 2.2."""
        return cls(counts.double() ** power)

    @property
    def classes(self) -> int:
        """How many outcomes there are."""
        return len(self._logp)

    def draw(self, k: int, generator: torch.Generator | None = None) -> Int[Tensor, "k"]:
        """``k`` outcomes, independently. ``generator`` lives on the device of the weights."""
        place = torch.rand(k, generator=generator, device=self._cumulative.device, dtype=torch.float64)
        return torch.searchsorted(self._cumulative, place, right=True)

    def log_prob(self, ids: Int[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """Their log-probabilities in nats, in float64."""
        return self._logp[ids]


@dataclass(frozen=True, slots=True)
class Candidates:
    """The target and K noise outcomes at each position, seen by their logits.

    target, noise: the logits z of the head.
    target_log_count, noise_log_count: log K q, the times that each is expected among the draws; 0 for outcomes that were
        chosen rather than drawn.
    hits: where a noise outcome is the target itself.
    """

    target: Float[Tensor, "*position"]
    noise: Float[Tensor, "*position K"]
    target_log_count: Float[Tensor, "*position"]
    noise_log_count: Float[Tensor, "K"]
    hits: Bool[Tensor, "*position K"]

    def scores(self) -> Dense:
        """1 + K outcomes, the target first: z for the target, and z - log K q for noise, so that Σ exp estimates Σ exp z over V.

        The estimate is unbiased: the target is there once for certain, so its logit stays as it is, and noise that hits it
        counts nothing (-inf). Source: Blanc & Rendle 2018, arXiv:1712.00527, sec. 2; Khrylchenko et al. 2025,
        arXiv:2507.09331, for why the target is not corrected.
        """
        noise = (self.noise - self.noise_log_count).masked_fill(self.hits, -math.inf)
        logits = torch.cat([self.target.unsqueeze(-1), noise], -1)
        return Dense(logits, torch.zeros_like(self.target, dtype=torch.int64))


def candidates(
    hidden: Float[Tensor, "*position d"],
    weight: Float[Tensor, "V d"],
    target: Int[Tensor, "*position"],
    ids: Int[Tensor, "K"],
    *,
    noise: Noise | None = None,
    bias: Float[Tensor, "V"] | None = None,
) -> Candidates:
    """Logits of the targets and of the outcomes ``ids``; half precision is read in float32 from there on.

    Args:
        hidden: what the head reads.
        weight: the head, one row an outcome. Only the rows asked for are read.
        target: the outcome that was seen.
        ids: noise outcomes, the same for all positions; one that is there twice counts twice.
        noise: what ``ids`` were drawn from; none where they were chosen, and each stands for itself.
        bias: the head's bias, one number an outcome.

    Raises:
        UsageError: the shapes do not fit, or the noise is over another number of outcomes.
    """
    check_given(target, None, None)
    if weight.ndim != 2 or hidden.shape != (*target.shape, weight.shape[1]) or ids.ndim != 1:
        raise UsageError(
            f"sampled: got hidden {tuple(hidden.shape)}, weight {tuple(weight.shape)}, target {tuple(target.shape)} and "
            f"ids {tuple(ids.shape)}; wanted [*position, d], [V, d], [*position] and [K]."
        )
    check_range(target, len(weight))
    if noise is not None and noise.classes != len(weight):
        raise UsageError(f"sampled: got noise over {noise.classes} outcomes for a weight of {len(weight)}. Make it of as many.")
    wanted = torch.cat([target.flatten(), ids])  # read at once, so that backward makes one gradient of the weight's size
    rows = weight.index_select(0, wanted)
    own = (hidden * rows[: target.numel()].view(hidden.shape)).sum(-1)
    others = hidden @ rows[target.numel() :].T
    if bias is not None:
        added = bias.index_select(0, wanted)
        own, others = own + added[: target.numel()].view(target.shape), others + added[target.numel() :]
    own, others = upcast(own), upcast(others)
    counts = own.new_zeros(len(wanted)) if noise is None else (noise.log_prob(wanted) + math.log(len(ids))).to(own)
    own_count, other_count = counts[: target.numel()].view(target.shape), counts[target.numel() :]
    return Candidates(own, others, own_count, other_count, ids == target.unsqueeze(-1))


def sampled(
    hidden: Float[Tensor, "*position d"],
    weight: Float[Tensor, "V d"],
    target: Int[Tensor, "*position"],
    ids: Int[Tensor, "K"],
    *,
    noise: Noise | None = None,
    bias: Float[Tensor, "V"] | None = None,
) -> Dense:
    """Scores of 1 + K outcomes in place of V, the target first: what ``candidates`` reads, as any loss over outcomes reads it.

    Raises:
        UsageError: the shapes do not fit, or the noise is over another number of outcomes.
    """
    return candidates(hidden, weight, target, ids, noise=noise, bias=bias).scores()
