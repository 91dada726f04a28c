"""What a penalty is: a value to add to the mean loss, and the exact flow that lowers it.

Training alternates the two: the optimiser's step on the loss, then the penalty's own gradient flow
dw/dt = -∂penalty(w), for as long a time as the step was (a rate a weight, where the optimiser has one a weight). The flow
is solved in closed form, so it never overshoots; for L1 it is the proximal step (soft threshold) and gives exact zeros.
And flows compose, flow(s) after flow(t) = flow(s + t), so a table's row that no batch touches can be caught up with later,
in one go, without error.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..core import domains
from ..core.registry import Registry

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalty(ABC):
    """A frozen dataclass of hyperparameters, its ``strength`` first. Applies to weight matrices, never to biases."""

    strength: float = 1e-6
    is_smooth: ClassVar[bool] = False
    """Whether it has a gradient everywhere, so that a search along the loss may have it added."""

    def __post_init__(self) -> None:
        domains.nonnegative(self, "strength")

    @abstractmethod
    def value(self, weight: Float[Tensor, "*shape"]) -> Float[Tensor, ""]:
        """What it adds to the mean loss."""

    @abstractmethod
    def prox(self, weight: Float[Tensor, "*shape"], time: Float[Tensor, "*#shape"] | float) -> Float[Tensor, "*shape"]:
        """Where the weights stand after the penalty's gradient flow has run for ``time`` (>= 0, may differ by weight)."""


penalties: Registry[Penalty] = Registry("penalty", "lossworks.penalties", Penalty, "Give a spec such as 'l2:strength=1e-6'.")
build, render = penalties.build, penalties.render
"""From a spec such as ``"l1:strength=1e-5"``, and back to it."""
