"""Stochastic gradient descent, and with it the memory of past gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

from ...core.errors import UsageError
from ...core.kernels import kernel
from ...core.lazy import Later
from ...data import RowGradient
from ..base import Group, Optimizer, each_row, optimizers

if TYPE_CHECKING:
    import torch
else:
    torch = Later("torch")


@optimizers.add("sgd", source="Robbins & Monro 1951, Ann. Math. Stat. 22:400; momentum: Sutskever et al. 2013, ICML, eq. 1 to 4")
@dataclass(frozen=True, kw_only=True)
class SGD(Optimizer):
    """Stochastic gradient descent: w ← w - lr · v, with v ← momentum · v + gradient of the batch.

    With nesterov the step is along gradient + momentum · v: the gradient as it will be found where the momentum leads.
    Domain: lr > 0, 0 <= momentum < 1; nesterov only with momentum.  Limit: momentum = 0 steps along the gradient alone.
    """

    lr: float = 0.3
    momentum: float = 0.0
    nesterov: bool = False
    decays = "coupled"
    shares = ("momentum",)
    row_state: ClassVar[tuple[str, ...] | None] = ()
    divides = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.nesterov and not self.momentum:
            raise UsageError("nesterov looks ahead along the momentum, which is 0. Give momentum=0.9.")

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        return torch.optim.SGD(groups, lr=self.lr, momentum=self.momentum, nesterov=self.nesterov, fused=True)

    @property
    def works_on_rows(self) -> bool:
        return super().works_on_rows and not self.momentum  # a momentum moves rows at rest

    def update_rows(
        self, weight: NDArray[Any], state: dict[str, NDArray[Any]], gradient: RowGradient, step: int, lr: float
    ) -> None:
        each_row(descend, gradient, weight, lr)


@optimizers.add("momentum", source="Polyak 1964, USSR Comput. Math. 4(5):1; Sutskever et al. 2013, ICML, eq. 1")
@dataclass(frozen=True, kw_only=True)
class Momentum(SGD):
    """SGD with the memory of past gradients: v ← momentum · v + gradient, w ← w - lr · v (the heavy ball).

    Domain: lr > 0, 0 <= momentum < 1.  Limit: momentum = 0 is sgd.
    """

    lr: float = 0.1
    momentum: float = 0.9


@optimizers.add("nesterov", source="Nesterov 1983, Soviet Math. Dokl. 27:372; Sutskever et al. 2013, ICML, eq. 3 and 4")
@dataclass(frozen=True, kw_only=True)
class Nesterov(Momentum):
    """Momentum that looks ahead: v ← momentum · v + gradient, w ← w - lr · (gradient + momentum · v).

    Domain: lr > 0, 0 < momentum < 1.
    """

    nesterov: bool = True


@kernel
def descend_each(gradient, weight, lr):  # type: ignore[no-untyped-def]
    """w ← w - lr · gradient."""
    for place in range(len(gradient)):
        weight[place] -= lr * gradient[place]


@kernel
def descend(part, parts, touched, counts, total, weight, lr):  # type: ignore[no-untyped-def]
    """The same on touched rows."""
    for group in range(part, len(counts), parts):
        for place in range(counts[group]):
            row = touched[group, place]
            descend_each(total[row], weight[row], lr)
