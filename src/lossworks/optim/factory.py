"""From what a user gives to an optimiser: a spec of ours, or what makes any other PyTorch optimiser; and what goes with it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from ..core.errors import UsageError
from .base import Group, Optimizer, optimizers

if TYPE_CHECKING:
    import torch

    from .rows import Penalty

Maker = Callable[[Any], "torch.optim.Optimizer"]


@dataclass(frozen=True, kw_only=True)
class Given(Optimizer):
    """What ``make`` makes of a list of parameters, at the rate ``lr``. A record tells its name alone."""

    make: Maker
    takes_sparse: ClassVar[bool] = True  # or says so itself

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        made = self.make([p for group in groups for p in group["params"]])
        times = self.lr / made.param_groups[0]["lr"]
        for group in made.param_groups:  # each may have a rate of its own
            group["lr"] *= times
        return made

    @property
    def spelled(self) -> str:
        """What stands for it in records."""
        named = getattr(self.make, "func", self.make)  # a partial hides what it calls
        return f"given:{getattr(named, '__qualname__', type(named).__qualname__)}"

    def for_batches(self, times: float) -> Self:
        return replace(self)


def build(spec: str | Optimizer | Maker) -> Optimizer:
    """The optimiser that a spec such as ``"adagrad:lr=0.1,initial=0.1"`` spells, or that a function of the parameters makes.

    Raises:
        UsageError: an unknown name or key, a value outside its domain, or a function that makes no optimiser.
    """
    if callable(spec):
        return _given(spec)
    return optimizers.build(spec)


def render(optimizer: Optimizer) -> str:
    """The spec that spells ``optimizer``; the name alone of one that no spec can."""
    return optimizer.spelled if isinstance(optimizer, Given) else optimizers.render(optimizer)


def check_together(optimizer: Optimizer, penalty: Penalty | None, clip: float | None, ema: float | None) -> None:
    """Raise UsageError where an optimiser and what is to be done around it do not go together."""
    if clip is not None and not 0 < clip < math.inf:
        raise UsageError(f"clip is {clip}; wanted a finite norm above 0.")
    if ema is not None and not 0 < ema < 1:
        raise UsageError(f"ema is {ema}; wanted a decay above 0, below 1: 0.999.")
    if penalty is not None and optimizer.needs_closure and not penalty.is_smooth:
        raise UsageError(f"{render(optimizer)!r} searches along a smooth loss; the penalty is not smooth. Choose l2.")
    if clip is not None and optimizer.needs_closure:
        raise UsageError(f"{render(optimizer)!r} makes the gradients itself, where clip cannot cut them. Leave clip out.")
    if ema is not None and optimizer.averages:
        raise UsageError(f"{render(optimizer)!r} averages the weights itself. Leave ema out.")


def _given(make: Maker) -> Given:
    """The optimiser that ``make`` makes, at the rate that it sets itself.

    Raises:
        UsageError: it does not make a PyTorch optimiser of a list of parameters.
    """
    import torch
    from torch import nn

    try:
        made: Any = make([nn.Parameter(torch.zeros(1, 1))])
    except (TypeError, ValueError) as error:
        raise UsageError(f"{make!r} makes no optimizer of a list of parameters: {error}.") from error
    if not isinstance(made, torch.optim.Optimizer):
        raise UsageError(f"{make!r} made {type(made).__name__}; wanted a torch.optim.Optimizer.")
    if isinstance(made, torch.optim.LBFGS):
        raise UsageError(
            "PyTorch's LBFGS takes a closure that only it knows when to call. Give the spec 'lbfgs', which is the same."
        )
    return Given(lr=float(made.param_groups[0]["lr"]), make=make)
