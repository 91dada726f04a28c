"""The logarithm of the hyperbolic cosine: a smooth absolute error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .base import RegressionLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float


@losses.add("log_cosh", source="Green 1990, IEEE Trans. Med. Imaging 9:84")
@dataclass(frozen=True, slots=True, kw_only=True)
class LogCosh(RegressionLoss):
    """log cosh e, with e = ŷ - y: e²/2 for small errors, |e| - log 2 for large ones, and smooth between.

    cosh overflows and the difference of logarithms cancels, so it is computed as log(1 + 2 sinh²(e/2)) up to |e| = 1
    and as |e| + log(1 + exp(-2|e|)) - log 2 beyond.
    Gradient into ŷ: tanh e.
    """

    def between(self, prediction: Float[Tensor, "*position"], value: Float[Tensor, "*position"]) -> Float[Tensor, "*position"]:
        error = prediction - value
        size = error.abs()
        near = (2 * (error.clamp(-1, 1) / 2).sinh().square()).log1p()
        far = size + (-2 * size).exp().log1p() - math.log(2)
        return torch.where(size < 1, near, far)
