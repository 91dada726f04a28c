"""Curves of losses between numbers, over pairs of answers, and over rows that are compared."""

from __future__ import annotations

import torch
from torch import Tensor

from ..losses import EmbeddingLoss, Pairs, PreferenceLoss, RegressionLoss, losses, render
from ..losses.margin_ranking import MarginRanking
from .curve import Curve, slopes, value_and_slope

REFERENCE, TOKENS = -20.0, 10  # log-probability of both answers by the reference, and their length
_ERRORS = torch.linspace(-3, 3, 121, dtype=torch.float64)
_MARGINS = torch.linspace(-20, 20, 161, dtype=torch.float64)
_COSINES = torch.linspace(-0.99, 0.99, 199, dtype=torch.float64)


def errors(loss: RegressionLoss) -> Curve:
    """Value and slope against the error ŷ - y, beside the squared error."""
    plain = losses["mse"].thing()
    assert isinstance(plain, RegressionLoss)

    def of(which: RegressionLoss) -> tuple[Tensor, Tensor]:
        return slopes(lambda error: which.errors(error, torch.zeros_like(error)), _ERRORS)

    beside = None if loss == plain else (render(plain), of(plain))
    return value_and_slope("One number y and its prediction ŷ.", ("error ŷ - y", _ERRORS), "ŷ", (render(loss), of(loss)), beside)


def pairs(loss: PreferenceLoss) -> Curve:
    """Value and slope against how much more probable the model finds the chosen answer than the rejected one."""

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
        f"Two answers of {TOKENS} tokens with log-probabilities {REFERENCE:g} ± margin/2; a reference, where the loss reads one, "
        f"gives both {REFERENCE:g}, and a baseline is 0."
    )
    axis = "margin of log-probabilities, chosen - rejected", _MARGINS
    return value_and_slope(caption, axis, "the margin", (render(loss), slopes(values, _MARGINS)))


def rows(loss: EmbeddingLoss) -> Curve:
    """Value and slope against the likeness of what belongs together; for a ranking, against the lead of the better score."""
    if isinstance(loss, MarginRanking):
        caption = "Two scores, of which the first should be the higher."
        own = slopes(lambda lead: loss.contrasts(lead, torch.zeros_like(lead), torch.ones_like(lead)), _ERRORS)
        return value_and_slope(caption, ("first score - second", _ERRORS), "the first score", (render(loss), own))

    def values(cosines: Tensor) -> Tensor:
        first, apart = cosines.new_tensor([[1.0, 0.0]]), cosines.new_tensor([[0.0, 1.0]])
        near = torch.stack([cosines, (1 - cosines.square()).sqrt()], -1)
        return torch.cat([loss.contrasts(first, second.unsqueeze(0), -apart) for second in near])

    caption = (
        "Rows of length 1: one, another that belongs with it, and a third that does not, at right angles to the first; "
        "x is the cosine of the first two."
    )
    own = slopes(values, _COSINES)
    return value_and_slope(caption, ("cosine of what belongs together", _COSINES), "x", (render(loss), own))
