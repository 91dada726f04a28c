"""The error against a teacher's number: with a teacher, without, and in a sum."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lossworks.core.errors import UsageError
from lossworks.losses import Imitation, RegressionLoss, build

ODD: dict[str, dict[str, str]] = {"by=log_cosh": {}}


def number_formula(loss: Imitation, prediction: Tensor, value: Tensor) -> Tensor:
    """Between numbers, one of them the teacher's."""
    error = prediction - value
    return error**2 if loss.by == "mse" else error.cosh().log()


def test_which_number_a_term_is_compared_with() -> None:
    """Of 3, the label 1 and the teacher's 6: squared 4 and 9, absolute 3; alone the number given is the teacher's."""
    loss = build("0.25*mse+0.5*imitation:by=mae+imitation")
    assert isinstance(loss, RegressionLoss)
    assert loss.needs == "teacher"
    prediction, value, teacher = (torch.tensor([number]) for number in (3.0, 1.0, 6.0))
    assert loss.errors(prediction, value, teacher).item() == 0.25 * 4 + 0.5 * 3 + 9
    assert Imitation().errors(prediction, value).item() == 4.0
    with pytest.raises(UsageError, match="unknown loss between numbers 'focal'"):
        build("imitation:by=focal")
