"""AdaGrad: each weight's step shrinks with the gradients it has met."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ...core.kernels import kernel
from ...core.lazy import Later
from ...data import RowGradient
from ..base import Group, Optimizer, each_row, optimizers

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = Later("torch")


@optimizers.add("adagrad", source="Duchi, Hazan & Singer 2011, JMLR 12:2121, eq. 1, diagonal form")
@dataclass(frozen=True, kw_only=True)
class AdaGrad(Optimizer):
    """s ← s + g², w ← w - lr · g / (√s + eps). Rare features keep large steps, which suits text.

    Domain: lr > 0, eps > 0, initial >= 0 (what s starts at; Keras starts at 0.1).
    """

    lr: float = 0.03
    initial: float = 0.0
    eps: float = 1e-10
    decays = "coupled"
    nonnegative = ("initial",)
    takes_sparse: ClassVar[bool] = True
    row_state: ClassVar[tuple[str, ...] | None] = ("sum",)
    divides = True

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        made = torch.optim.Adagrad(groups, lr=self.lr, initial_accumulator_value=self.initial, eps=self.eps)
        made.register_step_pre_hook(_fuse)
        return made

    def for_batches(self, times: float) -> Self:
        """Both g and √s shrink as a batch grows, so lr need not follow it; the fourth root is for the data, which grows with
        the batch and bears larger weights then (found by trial). The squares that s starts at shrink as those of a rare
        feature's gradient do, with the square of the batch.
        """
        return replace(self, lr=float(f"{self.lr * times**0.25:.4g}"), initial=float(f"{self.initial / times**2:.4g}"))

    def divisor(self, state: dict[str, Any]) -> Tensor:
        return torch.as_tensor(state["sum"]).sqrt() + self.eps

    def update_rows(
        self, weight: NDArray[Any], state: dict[str, NDArray[Any]], gradient: RowGradient, step: int, lr: float
    ) -> None:
        each_row(adapt, gradient, weight, state["sum"], lr, self.eps)


def _fuse(optimizer: torch.optim.Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Step in one pass over memory the groups where PyTorch can: whole gradients that stand, on the CPU."""
    for group in optimizer.param_groups:
        grads = [p.grad for p in group["params"] if p.grad is not None]
        group["fused"] = bool(grads) and not any(grad.is_sparse or not grad.is_cpu for grad in grads)


@kernel(error_model="numpy")  # a look at each divisor would keep it from using vectors
def adapt_each(gradient, weight, squares, lr, eps):  # type: ignore[no-untyped-def]
    """s ← s + g², w ← w - lr · g / (√s + eps)."""
    for place in range(len(gradient)):
        grad = gradient[place]
        squares[place] += grad * grad
        weight[place] -= lr * grad / (np.sqrt(squares[place]) + eps)


@kernel(error_model="numpy")
def adapt(part, parts, touched, counts, total, weight, squares, lr, eps):  # type: ignore[no-untyped-def]
    """The same on touched rows."""
    for group in range(part, len(counts), parts):
        for place in range(counts[group]):
            row = touched[group, place]
            adapt_each(total[row], weight[row], squares[row], lr, eps)
