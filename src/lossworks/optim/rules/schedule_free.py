"""What schedule-free optimisers share: weights to train with and weights to evaluate with, and which of them show.

The gradient is taken at y, between the fast point z and the average x of all z: y = (1-β)z + βx. The parameters hold y in
training and x in evaluation; z is kept as state, and in evaluation y is too, so that training goes on in the same bits.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from ...core.errors import UsageError
from ..base import Group, Optimizer
from ..custom import OneRule, Part
from ..multi_tensor import state_dtype
from ..roles import Model

if TYPE_CHECKING:
    from ..base import TorchOptimizer


class ScheduleFree(Optimizer):
    """What the schedule-free ones have of their own beside a rule."""

    warmup: int
    averages = True
    kept: ClassVar[str]
    """The name of β."""
    divides = True
    weights_kept = ("z", "point")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < (beta := getattr(self, self.kept)) < 1:
            raise UsageError(f"{self.kept} is {beta}; wanted above 0, below 1.")
        if self.warmup < 0:
            raise UsageError(f"warmup is {self.warmup}; wanted a number of steps, 0 or more.")

    def over(self, model: Model) -> TorchOptimizer:
        made = super().over(model)
        if isinstance(model, nn.Module) and isinstance(made, TwoPoints):
            made.follow(model)
        return made

    def penalise(self, weight: Tensor, state: dict[str, Any], group: Group, prox: Callable[..., Tensor]) -> None:
        """The penalty moves z, and with it what z has a share in."""
        z, point = state["z"], state.get("point", weight)
        moved = prox(z, group["rate"] / self.divisor(state)) - z
        z.add_(moved)
        beta = group["beta"]
        point.add_(moved, alpha=1 - beta + beta * group["share"])
        if point is not weight:
            weight.copy_(point)


class TwoPoints(OneRule):
    """Steps at y, shows x. Of each group: ``beta``, ``warmup``, and what ``begin`` works out for the step."""

    _told: bool | None = None
    """The mode that was asked for since the latest step; forward passes then leave it alone."""

    def __init__(self, groups: list[Group], defaults: dict[str, Any]) -> None:
        own = {"steps": 0, "sum": 0.0, "rate": 0.0, "share": 1.0, "training": True}
        super().__init__(groups, defaults | own)

    def train(self) -> None:
        """Show the weights to train with."""
        self.show(training=True)
        self._told = True

    def eval(self) -> None:
        """Show the weights to evaluate with."""
        self.show(training=False)
        self._told = False

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        self.show(training=True)
        loss = super().step(closure)
        self._told = None
        return loss

    def begin(self, group: dict[str, Any], factor: Callable[[int], float] = lambda step: 1.0) -> None:
        """Count a step of ``group``: its rate with the warm-up and ``factor``, and the share of the new z in the average x."""
        step = group["steps"] = group["steps"] + 1
        rate = group["rate"] = group["lr"] * factor(step) * (min(1.0, step / group["warmup"]) if group["warmup"] else 1.0)
        group["sum"] += rate**2
        group["share"] = rate**2 / group["sum"] if rate else 0.0

    def update_together(self, parts: list[Part]) -> None:
        super().update_together(parts)
        for p in (p for parameters, _ in parts for p in parameters if p.dtype != state_dtype(p)):
            point = self.state[p]["point"]
            point.grad = None
            p.copy_(point)

    def points(self, p: Tensor) -> tuple[Tensor, Tensor]:
        """y and z of a parameter, y with its gradient; where the parameter is of half precision, y is kept in float32 too."""
        state, dtype = self.state[p], state_dtype(p)
        if "z" not in state:
            state["z"] = p.detach().to(dtype, copy=True)
        if p.dtype == dtype:
            return p, state["z"]
        point: Tensor = state.setdefault("point", state["z"].clone())
        assert p.grad is not None
        point.grad = p.grad.to(dtype)
        return point, state["z"]

    @torch.no_grad()
    def show(self, *, training: bool) -> None:
        """Put the weights of that mode into the parameters, where they are not there yet."""
        for group in self.param_groups:
            if group["training"] != training:
                group["training"] = training
                for p in group["params"]:
                    if self.state.get(p):
                        self._put(p, group, training)

    def _put(self, p: Tensor, group: dict[str, Any], training: bool) -> None:
        state = self.state[p]
        if training:
            p.copy_(state["point"] if p.dtype != state_dtype(p) else state.pop("point"))
            return
        point = state.setdefault("point", p.detach().clone())
        p.copy_(torch.lerp(point, state["z"], 1 - 1 / group["beta"]))

    def state_dict(self) -> dict[str, Any]:
        """With y, whatever shows: the weights saved beside it may be either."""
        saved = super().state_dict()
        parameters = [p for group in self.param_groups for p in group["params"]]
        for number, held in saved["state"].items():
            saved["state"][number] = {"point": parameters[number].detach().clone()} | held
        return saved

    @torch.no_grad()
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a state; the parameters then show the weights to evaluate with."""
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["training"] = False
            for p in group["params"]:
                if self.state.get(p):
                    self._put(p, group, training=False)

    def follow(self, module: nn.Module) -> None:
        """Let ``module`` be right without ``train`` and ``eval``: it saves x, and runs with y or x as it trains or not."""
        handles: list[Any] = [module.register_forward_pre_hook(_BeforeRun(self))]
        saving: Any = _BeforeSaving(self)
        handles += [each.register_state_dict_pre_hook(saving) for each in module.modules()]  # type: ignore[no-untyped-call]
        weakref.finalize(self, _remove, handles).atexit = False


class _Hook:
    """Knows an optimiser as long as it lives. A copy of the module, which has other weights, gets a hook that does nothing."""

    def __init__(self, optimizer: TwoPoints | None = None) -> None:
        self._of = weakref.ref(optimizer) if optimizer is not None else lambda: None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()


class _BeforeRun(_Hook):
    def __call__(self, module: nn.Module, *_: Any) -> None:
        optimizer = self._of()
        if optimizer is None:
            return
        asked = optimizer._told
        if asked:
            optimizer.show(training=True)  # saving and loading may have changed it since
        # A training pass after eval() is meant for training; after train(), a module without dropout may train in eval mode.
        if asked is None or (asked is False and module.training and torch.is_grad_enabled()):
            optimizer.show(training=module.training)


class _BeforeSaving(_Hook):
    def __call__(self, *_: Any) -> None:
        optimizer = self._of()
        if optimizer is not None:
            optimizer.show(training=False)


def _remove(handles: list[Any]) -> None:
    for handle in handles:
        handle.remove()
