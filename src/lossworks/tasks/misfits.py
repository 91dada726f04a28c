"""Why a loss over outcomes cannot say how wrong the answers of a task are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import losses

if TYPE_CHECKING:
    from ..losses import Loss


def misfit_of_outcomes(loss: Loss, *, taught: bool = False) -> str:
    """Why a loss cannot compare one outcome (``taught``: and a teacher) with its probabilities alone; empty where it can."""
    if not isinstance(loss, losses.CategoricalLoss):
        return "it is not over outcomes"
    if loss.needs and not (taught and loss.needs == "teacher"):
        remedy = ". Name one with --teach" if loss.needs == "teacher" else ""
        return f"it needs a {loss.needs.removesuffix('s')} at each position{remedy}"
    if not loss.looks_at_target:
        return f"it does not look at the target. Add it to a loss that does: cross_entropy+0.001*{losses.render(loss)}"
    return ""


def misfit_of_one_class(loss: Loss, *, two: bool, taught: bool = False) -> str:
    """The same where just one outcome is true at each position, of ``two`` or more."""
    if (reason := misfit_of_outcomes(loss, taught=taught)) or not isinstance(loss, losses.CategoricalLoss):
        return reason
    if isinstance(loss, losses.BinaryLoss) and not two:
        return "it is for two outcomes"
    return "its positions are the labels of one example" if loss.positions_interact else ""
