"""The one set of tests for every loss: what is owed over outcomes, and what between numbers."""

from __future__ import annotations

from collections.abc import Callable

from torch.autograd.gradcheck import GradcheckError

from losses import categorical, regression
from losses.case import Case
from lossworks.losses import CategoricalLoss, Loss, RegressionLoss

BROKEN = (AssertionError, GradcheckError)
"""What a property raises where it does not hold; anything else is a crash."""


def owed(loss: Loss) -> dict[str, Callable[[Case], None]]:
    """Every property that a loss of this kind owes, by name."""
    outcomes = categorical.PROPERTIES if isinstance(loss, CategoricalLoss) else {}
    return outcomes | (regression.PROPERTIES if isinstance(loss, RegressionLoss) else {})
