"""The one set of tests for every loss: what is owed over outcomes, between numbers, over pairs of answers and between rows."""

from __future__ import annotations

from collections.abc import Callable

from torch.autograd.gradcheck import GradcheckError

from losses import categorical, chunked, embedding, preference, regression
from losses.case import Case
from lossworks.losses import CategoricalLoss, EmbeddingLoss, Loss, PreferenceLoss, RegressionLoss

BROKEN = (AssertionError, GradcheckError)
"""What a property raises where it does not hold; anything else is a crash."""


def owed(loss: Loss) -> dict[str, Callable[[Case], None]]:
    """Every property that a loss of this kind owes, by name."""
    outcomes: dict[str, Callable[[Case], None]] = {}
    if isinstance(loss, CategoricalLoss):
        outcomes = categorical.PROPERTIES | (chunked.REFUSAL if loss.positions_interact else chunked.PROPERTIES)
    kinds = (
        (RegressionLoss, regression.PROPERTIES),
        (PreferenceLoss, preference.PROPERTIES),
        (EmbeddingLoss, embedding.PROPERTIES),
    )
    for kind, properties in kinds:
        outcomes = outcomes | (properties if isinstance(loss, kind) else {})
    return outcomes
