"""How the losses of a step become the one number whose gradient moves the weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..core.errors import UsageError
from ..risks import Risk, render
from ..risks.mean import Mean
from ..tasks import Task

if TYPE_CHECKING:
    from jaxtyping import Float


def check_risk(risk: Risk, task: str, class_weight: str | None) -> None:
    """Raise UsageError where the risk compares groups and there are none, or the class weights would be lost in it."""
    if not risk.grouped:
        return
    name = render(risk)
    if task != "classify":
        raise UsageError(f"the risk {name!r} compares the classes; the task {task} has none. Choose --risk mean or cvar.")
    if class_weight is not None:
        raise UsageError(
            f"--class-weight has no effect on the risk {name!r}: it compares the classes' means, where a factor for "
            "a whole class cancels. Leave one of them out."
        )


class Reduction:
    """The risk of each step, over the classes where it is a grouped one, and its gradient.

    The mean of a step is the sum of its batches' shares, so each batch is done with at once. Any other risk needs all losses
    of the step together, and what their gradients need stands in memory until then.
    """

    def __init__(self, risk: Risk, task: Task) -> None:
        self.risk = risk
        self.state = risk.start(len(task.labels) if task.kind == "classify" else 0)
        self._waiting: list[tuple[Tensor, Tensor, Tensor]] = []

    @property
    def is_mean(self) -> bool:
        """Whether each batch is done with at once."""
        return isinstance(self.risk, Mean)

    def add(self, values: Float[Tensor, "N"], weight: Float[Tensor, "N"], target: Tensor, total: float) -> float:
        """Take a batch's losses, in a step that weighs ``total``. Returns Σ weight · loss; not finite, it goes no further."""
        summed = (values * weight).sum()
        amount = summed.item()
        if not math.isfinite(amount):
            self._waiting.clear()
        elif self.is_mean:
            (summed / total).backward()  # type: ignore[no-untyped-call]
        else:
            self._waiting.append((values, weight, target))
        return amount

    def forget(self) -> None:
        """Leave out what was added since the last step."""
        self._waiting.clear()

    def finish(self) -> float | None:
        """The gradient of the step's losses that wait for it, and their risk; None where none wait."""
        if not self._waiting:
            return None
        values, weight, target = (torch.cat(parts) for parts in zip(*self._waiting, strict=True))
        self._waiting.clear()
        risk, self.state = self.risk.combine(values, weight, target if self.risk.grouped else None, self.state)
        risk.backward()  # type: ignore[no-untyped-call]
        return risk.item()
