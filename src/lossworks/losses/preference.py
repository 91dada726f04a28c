"""Losses over pairs of answers of which one is preferred, read through the log-probability of each whole answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..core.errors import UsageError
from ..scores.base import upcast
from .base import Loss

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """What is known of each pair. Log-probabilities are sums over an answer's tokens, in nats; lengths count its tokens.

    chosen, rejected: by the model that is trained.
    reference_chosen, reference_rejected: by the model it started from; they get no gradient.
    chosen_length, rejected_length: for the losses that read averages.
    baseline: a divergence from the reference that no pair is to blame for, one number or one a pair; gets no gradient.
    """

    chosen: Float[Tensor, "*pair"]
    rejected: Float[Tensor, "*pair"]
    reference_chosen: Float[Tensor, "*pair"] | None = None
    reference_rejected: Float[Tensor, "*pair"] | None = None
    chosen_length: Int[Tensor, "*pair"] | None = None
    rejected_length: Int[Tensor, "*pair"] | None = None
    baseline: Float[Tensor, "*#pair"] | None = None

    def __post_init__(self) -> None:
        given = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "baseline"}
        shapes = {name: tuple(value.shape) for name, value in given.items() if value is not None}
        if len(set(shapes.values())) > 1:
            raise UsageError(
                f"pairs: got {', '.join(f'{name} {shape}' for name, shape in shapes.items())}. Give one number a pair."
            )
        check_baseline(self.baseline, self.chosen)

    def log_ratios(self) -> tuple[Float[Tensor, "*pair"], Float[Tensor, "*pair"]]:
        """log (model / reference) of the chosen and of the rejected answers.

        Raises:
            UsageError: there is no reference.
        """
        if self.reference_chosen is None or self.reference_rejected is None:
            raise UsageError(
                "this loss compares with a reference model, and the pairs have none. "
                "Give reference_chosen= and reference_rejected=."
            )
        return self.chosen - self.reference_chosen.detach(), self.rejected - self.reference_rejected.detach()

    def per_token(self, chosen: Tensor, rejected: Tensor) -> tuple[Float[Tensor, "*pair"], Float[Tensor, "*pair"]]:
        """Values of the chosen and the rejected answers, divided by their lengths; without tokens as they are, which is 0.

        Raises:
            UsageError: there are no lengths.
        """
        if self.chosen_length is None or self.rejected_length is None:
            raise UsageError("this loss reads averages, and the pairs have no lengths. Give chosen_length= and rejected_length=.")
        return chosen / self.chosen_length.clamp_min(1), rejected / self.rejected_length.clamp_min(1)


def check_baseline(baseline: Tensor | None, like: Tensor) -> None:
    """Raise UsageError where a baseline is neither one number nor one for each of ``like``."""
    if baseline is not None and baseline.numel() != 1 and baseline.shape != like.shape:
        raise UsageError(
            f"baseline: got {tuple(baseline.shape)} for log-probabilities {tuple(like.shape)}. Give one number, or one for each."
        )


class PreferenceLoss(Loss, ABC):
    """A loss over pairs of answers."""

    __slots__ = ()

    @abstractmethod
    def preferences(self, pairs: Pairs) -> Float[Tensor, "*pair"]:
        """One value a pair; it depends on that pair alone."""


def sequence_logp(
    logp: Float[Tensor, "*answer tokens"], keep: Bool[Tensor, "*answer tokens"]
) -> tuple[Float[Tensor, "*answer"], Int[Tensor, "*answer"]]:
    """The log-probability of each answer, summed over its kept tokens, and how many they are. Halves are summed in float32.

    Raises:
        UsageError: ``keep`` is not one boolean a token.
    """
    if keep.shape != logp.shape or keep.dtype != torch.bool:
        raise UsageError(
            f"sequence_logp: got keep {tuple(keep.shape)} of {keep.dtype}. Give a boolean a token, {tuple(logp.shape)}."
        )
    wide = upcast(logp)
    return torch.where(keep, wide, 0.0).sum(-1), keep.sum(-1)
