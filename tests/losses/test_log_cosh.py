"""log cosh against numbers worked by hand, and where the plain formula fails."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from losses.case import gradient
from lossworks.losses import LogCosh

LOSS = LogCosh()


def number_formula(loss: LogCosh, prediction: Tensor, value: Tensor) -> Tensor:
    """As it is called."""
    return (prediction - value).cosh().log()


ODD: dict[str, dict[str, str]] = {}


def of(*errors: float, dtype: torch.dtype = torch.float64) -> Tensor:
    """The loss of errors."""
    return LOSS.errors(torch.tensor(errors, dtype=dtype), torch.zeros(len(errors), dtype=dtype))


def test_by_hand() -> None:
    """cosh(log 2) = 5/4 and cosh(log 10) = 5.05."""
    assert of(math.log(2), -math.log(10)).tolist() == pytest.approx([math.log(1.25), math.log(5.05)], rel=1e-14)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-14), (torch.float32, 1e-6)])
def test_limits(dtype: torch.dtype, tolerance: float) -> None:
    """e²/2 near 0 and |e| - log 2 far away, to all digits, where cosh rounds to 1 or overflows."""
    assert of(1e-6, -1e-10, 0.0, dtype=dtype).tolist() == pytest.approx([0.5e-12, 0.5e-20, 0.0], rel=max(tolerance, 1e-12))
    assert of(1e3, -1e8, dtype=dtype).tolist() == pytest.approx([1e3 - math.log(2), 1e8 - math.log(2)], rel=tolerance)


def test_the_two_spellings_meet() -> None:
    """On both sides of |e| = 1 values and slopes are the same to all digits."""
    error = torch.tensor([1 - 1e-15, 1.0], dtype=torch.float64, requires_grad=True)
    below, above = LOSS.errors(error, torch.zeros(2, dtype=torch.float64)).tolist()
    assert below == pytest.approx(above, rel=1e-14)
    assert below == pytest.approx(math.log(math.cosh(1)), rel=1e-14)


def test_the_gradient_is_tanh() -> None:
    """Everywhere, on the error 0 and far away too."""
    error = torch.tensor([-1e6, -3.0, -0.5, 0.0, 1e-9, 0.999, 1.001, 40.0], dtype=torch.float64, requires_grad=True)
    slope = gradient(LOSS.errors(error, torch.zeros(8, dtype=torch.float64)), error)
    torch.testing.assert_close(slope, error.detach().tanh(), rtol=1e-14, atol=1e-20)
