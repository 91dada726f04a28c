"""Parameters stepped as whole tensors, by an optimiser with PyTorch's interface: in the ordinary way, or by a search."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..core.errors import Diverged, UsageError
from ..data import Batch
from ..record.tensors import under
from .base import Optimizer
from .factory import Given, render
from .gradients import Gradients
from .rows import Penalty
from .state_dict_io import pack, unpack

Suited = Callable[[Tensor, dict[str, Any], dict[str, Any]], dict[str, Any]]
"""Of a parameter, what another training kept of it by name, and what a new one begins with (zeros, where nothing is said): what
to go on with; empty where it begins anew."""


class Whole:
    """Steps ``parameters`` by ``inner``, with the gradients that stand in ``gradients`` and the penalty after or in them."""

    def __init__(
        self,
        inner: torch.optim.Optimizer,
        optimizer: Optimizer,
        penalty: Penalty | None,
        parameters: list[Tensor],
        gradients: Gradients,
    ) -> None:
        self.inner, self.optimizer, self.penalty = inner, optimizer, penalty
        self._parameters, self._gradients = parameters, gradients
        self._rates = [float(group["lr"]) for group in inner.param_groups]

    def parameter(self, name: str) -> Tensor | None:
        """The one whose state has this name in ``tensors``; None: it is none of a parameter."""
        number = name.removeprefix("dense.state.")
        return None if number == name else self._stepped[int(number.split(".")[0])]

    @property
    def _stepped(self) -> list[Tensor]:
        """The parameters in the order in which their state is numbered."""
        return [p for group in self.inner.param_groups for p in group["params"]]

    @property
    def wants_curvature(self) -> bool:
        """Whether ``observe_curvature`` is due before the next step."""
        return bool(getattr(self.inner, "wants_curvature", False))

    def observe_curvature(self, examples: int) -> None:
        """As of ``Stepper``, of gradients that are finite."""
        self._spread()
        self.inner.observe_curvature(examples)  # type: ignore[attr-defined]

    def step(self, number: int, factor: float, closure: Callable[[], float] | None, check: Callable[[], None]) -> None:
        """Take a step; arguments and errors as of ``Stepper.step``. check: raises where the gradient is not finite."""
        for group, rate in zip(self.inner.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor
        if self.optimizer.needs_closure:
            self._search(number, closure, check)
            return
        self._spread()
        self.inner.step()
        for group in self.inner.param_groups if self.penalty is not None else []:
            for p in group["params"]:
                if p.ndim > 1 and p.grad is not None:
                    self.optimizer.penalise(p, self.inner.state[p], group, self.penalty.prox)  # type: ignore[union-attr]

    def to(self, *, training: bool) -> None:
        """Have the weights be those to train with, or to evaluate with, where the optimiser tells them apart."""
        change = getattr(self.inner, "train" if training else "eval", None)
        if change is not None:
            change()

    def catch_up(self, batch: Batch | None) -> None:
        """Nothing: no row is behind the others."""

    def divisor(self, parameter: Tensor) -> Tensor | float:
        """As of ``Stepper``."""
        return self.optimizer.divisor(self.inner.state[parameter])

    def tensors(self) -> dict[str, Tensor]:
        """The optimiser's state, as named tensors."""
        return {f"dense.{name}": value for name, value in pack(self.inner.state_dict()).items()}

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up the state that ``tensors`` gave."""
        self.inner.load_state_dict(unpack(under(state, "dense.")))

    def go_on(self, state: dict[str, Tensor], suited: Suited) -> None:
        """Take up the state of another training, as of ``Stepper.go_on``."""
        saved, own = unpack(under(state, "dense.")), self._stepped
        found = {number: suited(own[number], held, {}) for number, held in saved["state"].items()}
        saved["state"] = {number: held for number, held in found.items() if held}
        self.inner.load_state_dict(saved)

    def _search(self, number: int, closure: Callable[[], float] | None, check: Callable[[], None]) -> None:
        """A step of an optimiser that evaluates the loss again."""
        if closure is None:
            raise UsageError(f"{render(self.optimizer)!r} evaluates the loss again within a step: give step a closure.")
        before = [p.detach().clone() for p in self._parameters]
        self.inner.step(self._checked_first(closure, check))
        if not all(bool(p.isfinite().all()) for p in self._parameters):
            torch._foreach_copy_(self._parameters, before)
            raise Diverged(
                f"the search of step {number:,} ended in weights that are not finite; those before it were put back. "
                f"Try a lower --lr than {self.optimizer.lr:g}."
            )

    def _checked_first(self, closure: Callable[[], float], check: Callable[[], None]) -> Callable[[], float]:
        """The closure with the penalty, first evaluated at the weights that stand: a search can turn back from any others."""
        first = True

        def evaluate() -> float:
            nonlocal first
            loss = self._penalised(closure)
            if first and math.isfinite(loss):
                check()
            first = False
            return loss

        return evaluate

    @torch.enable_grad()
    def _penalised(self, closure: Callable[[], float]) -> float:
        loss = closure()
        self._gradients.collect()
        self._spread()
        if self.penalty is not None:
            added = torch.stack([self.penalty.value(p) for p in self._parameters if p.ndim > 1]).sum()
            added.backward()  # type: ignore[no-untyped-call]
            loss += added.item()
        return loss

    def _spread(self) -> None:
        """Have our optimisers, which know no sparse gradients, given whole ones."""
        if not isinstance(self.optimizer, Given):
            self._gradients.spread()
