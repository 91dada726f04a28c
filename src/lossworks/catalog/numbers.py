"""Curves of regression losses, of losses over pairs of answers, and of embedding losses."""

from __future__ import annotations

import torch
from torch import Tensor

from ..losses import EmbeddingLoss, Pairs, PreferenceLoss, RegressionLoss, losses, render
from .curve import Curve, value_and_grad, value_and_grad_curve

REFERENCE, TOKENS = -20.0, 10  # log-probability of both answers by the reference, and their length
_ERRORS = torch.linspace(-3, 3, 121, dtype=torch.float64)
_MARGINS = torch.linspace(-20, 20, 161, dtype=torch.float64)
_COSINES = torch.linspace(-0.99, 0.99, 199, dtype=torch.float64)


def errors(loss: RegressionLoss) -> Curve:
    """Value and gradient by the error ŷ - y, with the squared error."""
    plain = losses["mse"].thing()
    assert isinstance(plain, RegressionLoss)

    def of(which: RegressionLoss) -> tuple[Tensor, Tensor]:
        return value_and_grad(lambda error: which.errors(error, torch.zeros_like(error)), _ERRORS)

    reference = None if loss == plain else (render(plain), of(plain))
    return value_and_grad_curve(
        "One target y and its prediction ŷ.", ("error ŷ - y", _ERRORS), "ŷ", (render(loss), of(loss)), reference
    )


def pairs(loss: PreferenceLoss) -> Curve:
    """Value and gradient by the log-probability margin of the chosen answer over the rejected one."""

    def values(margin: Tensor) -> Tensor:
        fixed, length = torch.full_like(margin, REFERENCE), torch.full_like(margin, TOKENS, dtype=torch.int64)
        return loss.preferences(
            Pairs(
                chosen=REFERENCE + margin / 2,
                rejected=REFERENCE - margin / 2,
                reference_chosen=fixed,
                reference_rejected=fixed,
                chosen_length=length,
                rejected_length=length,
                baseline=margin.new_zeros(()),
            )
        )

    caption = (
        f"Two answers of {TOKENS} tokens with log-probabilities {REFERENCE:g} ± margin/2; a reference model, if the loss "
        f"uses one, gives both {REFERENCE:g}, and a baseline is 0."
    )
    axis = "margin of log-probabilities, chosen - rejected", _MARGINS
    return value_and_grad_curve(caption, axis, "the margin", (render(loss), value_and_grad(values, _MARGINS)))


def rows(loss: EmbeddingLoss) -> Curve:
    """Value and gradient by the cosine similarity of a positive pair; for a ranking loss, by the score difference."""
    if loss.ranks:
        caption = "Two scores, of which the first should be higher."
        own = value_and_grad(lambda lead: loss.contrasts(lead, torch.zeros_like(lead), torch.ones_like(lead)), _ERRORS)
        return value_and_grad_curve(caption, ("first score - second", _ERRORS), "first score", (render(loss), own))

    def values(cosines: Tensor) -> Tensor:
        first, apart = cosines.new_tensor([[1.0, 0.0]]), cosines.new_tensor([[0.0, 1.0]])
        near = torch.stack([cosines, (1 - cosines.square()).sqrt()], -1)
        return torch.cat([loss.of_triple(first, second.unsqueeze(0), -apart) for second in near])

    caption = (
        "Unit vectors: an anchor, its positive, and a negative at right angles to the anchor; x is the cosine similarity of "
        "anchor and positive."
    )
    own = value_and_grad(values, _COSINES)
    return value_and_grad_curve(caption, ("cosine similarity of anchor and positive", _COSINES), "x", (render(loss), own))
