"""0 log 0 is 0, without masks: on a CPU a masked pass, and once more its gradient, takes up to 40 times as long as a sum's."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


def counted(weight: Tensor, *logs: Tensor) -> list[Tensor]:
    """``logs``, all at most 0 and perhaps -inf, but 0 where ``weight`` is 0; for products with it that are to be 0 there.

    Their gradient is handed on as it is: that of such a product is 0 where the weight is.
    """
    floor = weight.detach().abs().mul_(-math.inf).nan_to_num_(nan=0.0, neginf=-math.inf)  # -inf, and 0 where the weight is
    return [_Floored.apply(log, floor) for log in logs]  # type: ignore[no-untyped-call]


def possible(z: Tensor, otherwise: float) -> Tensor:
    """``z``, and ``otherwise`` where it is -inf (or the lowest number that there is)."""
    return torch.threshold(z, torch.finfo(z.dtype).min, otherwise)


def log_of_any(total: Tensor) -> Tensor:
    """The logarithm of sums, -inf without a gradient where there is nothing in them."""
    some = total > 0
    return torch.where(some, total, 1.0).log().masked_fill(~some, -math.inf)


class _Floored(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(log: Tensor, floor: Tensor) -> Tensor:
        return log.maximum(floor)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        """Nothing to keep."""

    @staticmethod
    def backward(ctx: Any, *grad_output: Tensor) -> tuple[Tensor, None]:
        return grad_output[0], None
