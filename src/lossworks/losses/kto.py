"""Kahneman-Tversky optimisation: answers that are good or bad, not pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..core import domains
from ..core.errors import UsageError
from .base import losses
from .embedding import check_rows
from .preference import Pairs, PreferenceLoss, check_baseline

if TYPE_CHECKING:
    from jaxtyping import Bool, Float


@losses.add("kto", source="Ethayarajh et al. 2024, arXiv:2402.01306, eq. 8")
@dataclass(frozen=True, slots=True, kw_only=True)
class KTO(PreferenceLoss):
    """desirable · σ(beta (z₀ - r)) of a good answer, undesirable · σ(beta (r - z₀)) of a bad one; r = log (model / reference).

    z₀, the baseline, is the divergence of model from reference that is not the answer's own doing: ``kl_baseline``.
    ``answers`` takes answers without pairs; a pair loses the mean of its chosen (good) and its rejected (bad) answer.
    Domain: beta, desirable, undesirable > 0. The paper has desirable · (number of good answers) at 1 to
    3/2 times undesirable · (number of bad ones).
    Limit: an answer on the baseline loses half its weight.
    """

    beta: float = 0.1
    desirable: float = 1.0
    undesirable: float = 1.0

    def __post_init__(self) -> None:
        domains.positive(self, "beta", "desirable", "undesirable")

    def preferences(self, pairs: Pairs) -> Float[Tensor, "*pair"]:
        if pairs.baseline is None:
            raise UsageError(
                "kto judges by a baseline, and the pairs have none. Give baseline=kl_baseline(mismatched, reference)."
            )
        good, bad = pairs.log_ratios()
        return (self._good(good, pairs.baseline) + self._bad(bad, pairs.baseline)) / 2

    def answers(
        self,
        logp: Float[Tensor, "*answer"],
        reference: Float[Tensor, "*answer"],
        desirable: Bool[Tensor, "*answer"],
        baseline: Float[Tensor, "*#answer"],
    ) -> Float[Tensor, "*answer"]:
        """One value an answer, from its log-probability by the model and by the reference, and whether it is desirable."""
        if not logp.shape == reference.shape == desirable.shape or desirable.dtype != torch.bool:
            raise UsageError(
                f"kto: got logp {tuple(logp.shape)}, reference {tuple(reference.shape)} and desirable {tuple(desirable.shape)} "
                f"of {desirable.dtype}. Give two numbers and a boolean an answer."
            )
        check_baseline(baseline, logp)
        ratio = logp - reference.detach()
        return torch.where(desirable, self._good(ratio, baseline), self._bad(ratio, baseline))

    def _good(self, ratio: Tensor, baseline: Tensor) -> Tensor:
        return self.desirable * (self.beta * (baseline.detach() - ratio)).sigmoid()

    def _bad(self, ratio: Tensor, baseline: Tensor) -> Tensor:
        return self.undesirable * (self.beta * (ratio - baseline.detach())).sigmoid()


def kl_baseline(logp: Float[Tensor, "answers"], reference: Float[Tensor, "answers"]) -> Float[Tensor, ""]:
    """z₀ of a batch: max(0, mean log (model / reference)) of answers that were written for *other* prompts of the batch.

    logp, reference: log-probability of prompt i's successor's answer, given prompt i, by the model and by the reference.

    Raises:
        UsageError: they have not the same shape.
    """
    check_rows("kl_baseline", logp, reference=reference)
    return (logp - reference).mean().clamp_min(0).detach()
