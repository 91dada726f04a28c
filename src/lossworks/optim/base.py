"""What an optimiser is here: a frozen dataclass of its hyperparameters, which makes PyTorch's own optimiser.

One that can work on a table's touched rows alone, with the same result as on the whole table, says so by ``row_state``
and ``update_rows``; the work is then in proportion to the rows seen.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..batches import RowGradient
from ..core import specs
from ..core.errors import UsageError
from ..core.registry import Registry
from ..core.threads import share

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(frozen=True, kw_only=True)
class Optimizer(ABC):
    """The root of every optimiser. ``lr`` is the learning rate."""

    lr: float

    full_batch: ClassVar[bool] = False
    """One step an epoch, on all examples at once."""
    row_state: ClassVar[tuple[str, ...] | None] = None
    """Names of what is kept for each weight of a table; None: the optimiser needs the whole table's gradient."""

    def __post_init__(self) -> None:
        for name in ("lr", "eps"):
            if not 0 < getattr(self, name, 1.0) < float("inf"):
                raise UsageError(f"{name} is {getattr(self, name)}; wanted a finite number above 0.")

    @abstractmethod
    def torch(self, parameters: list[Tensor]) -> torch.optim.Optimizer:
        """PyTorch's optimiser over ``parameters``."""

    def for_batches(self, times: float) -> Self:
        """The same for batches ``times`` as large: adaptive steps grow with the root (Malladi et al. 2022, arXiv:2205.10287)."""
        return replace(self, lr=float(f"{self.lr * math.sqrt(times):.4g}"))

    def divisor(self, state: dict[str, Any]) -> Float[Tensor, "*shape"] | float:
        """What the step of each weight is divided by besides ``1/lr``, from its state: 1 where all weights step alike."""
        return 1.0

    def update_rows(self, weight: NDArray[Any], state: dict[str, NDArray[Any]], gradient: RowGradient, step: int) -> None:
        """Step number ``step`` (from 1) on the touched rows of a table, in place."""
        raise UsageError(f"{type(self).__name__} works on whole tables only.")


optimizers: Registry[type[Optimizer]] = Registry("optimizer", "lossworks.optim")


def build(spec: str | Optimizer) -> Optimizer:
    """The optimiser that a spec such as ``"adagrad:lr=0.1,initial=0.1"`` spells.

    Raises:
        UsageError: an unknown name or key, or a value outside its domain.
    """
    optimizer: Any = specs.build(optimizers, spec)
    if not isinstance(optimizer, Optimizer):
        raise UsageError(f"got {optimizer!r} as an optimizer. Give a spec such as 'adam:lr=0.001'.")
    return optimizer


def render(optimizer: Optimizer) -> str:
    """The spec that spells ``optimizer``."""
    return specs.render(optimizers, optimizer)


def each_row(kernel: Callable[..., Any], gradient: RowGradient, *arguments: Any) -> None:
    """Run ``kernel(part, parts, touched, counts, total, *arguments)`` over the groups of touched rows."""
    work = int(gradient.counts.sum()) * gradient.total.shape[1]
    number = gradient.total.dtype.type  # a plain float would have all of a float32 table worked on in float64
    plain = (number(argument) if isinstance(argument, float) else argument for argument in arguments)
    share(kernel, work, gradient.touched, gradient.counts, gradient.total, *plain)
