"""What a risk is: the one number that training lowers, made of the losses of all positions and what each weighs.

The mean is one choice; others look at the worst positions, or at groups of positions. A weight counts positions: one of
weight 2 is two of weight 1, and one of weight 0 is not there. Some risks remember something from step to step (``start``),
which a checkpoint must keep. ``combine`` never waits for the device: it looks at shapes alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from ..core.errors import UsageError
from ..core.lazy import Later
from ..core.registry import Registry

if TYPE_CHECKING:
    import torch
    from jaxtyping import Float, Int
    from torch import Tensor
else:
    torch = Later("torch")


class Risk(ABC):
    """A frozen dataclass whose fields are its hyperparameters."""

    __slots__ = ()

    grouped: ClassVar[bool] = False
    """Whether it looks at groups of positions."""

    def start(self, groups: int) -> Float[Tensor, "state"]:
        """What it remembers before the first step, for groups numbered 0 to ``groups`` - 1. Most remember nothing."""
        return torch.zeros(0, dtype=torch.float64)

    def combine(
        self,
        values: Float[Tensor, "*position"],
        weight: Float[Tensor, "*position"],
        groups: Int[Tensor, "*position"] | None = None,
        state: Float[Tensor, "state"] | None = None,
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "state"]]:
        """The risk, and what to remember; 0 where nothing weighs anything. Gradients go into ``values`` alone.

        Args:
            values: the loss of each position.
            weight: what each weighs, 0 or more. What weighs 0 is not looked at, even if it is not finite.
            groups: the group of each position, for a risk that is ``grouped``.
            state: what the last call gave; ``start`` before the first.

        Raises:
            UsageError: shapes that differ, or a grouped risk without groups.
        """
        if values.shape != weight.shape or (groups is not None and groups.shape != values.shape):
            of_groups = "" if groups is None else f", groups {tuple(groups.shape)}"
            raise UsageError(
                f"a risk wants one weight and one group a value: got values {tuple(values.shape)}, "
                f"weight {tuple(weight.shape)}{of_groups}. Expand them to one shape."
            )
        if self.grouped and groups is None:
            raise UsageError(
                f"the risk {render(self)!r} compares groups, and got none. Give groups=, a whole number a position; "
                "or choose a risk without groups: mean or cvar."
            )
        weight = weight.detach().flatten().double()
        known = torch.where(weight > 0, values.flatten().double(), 0.0)
        of = torch.zeros_like(weight, dtype=torch.int64) if groups is None else groups.flatten()
        risk, state = self.of(known, weight, of, self.start(0) if state is None else state.to(values.device))
        return risk.to(values.dtype), state

    @abstractmethod
    def of(
        self, values: Float[Tensor, "N"], weight: Float[Tensor, "N"], groups: Int[Tensor, "N"], state: Float[Tensor, "state"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "state"]]:
        """What a member owes: ``combine`` in float64, its arguments checked and flat."""


risks: Registry[Risk] = Registry("risk", "lossworks.risks", Risk, "Give a spec such as 'cvar:alpha=0.1'.")
build, render = risks.build, risks.render
"""From a spec such as ``"cvar:alpha=0.1"``, and back to it."""


def over(total: Float[Tensor, "*shape"], weight: Float[Tensor, "*#shape"]) -> Float[Tensor, "*shape"]:
    """total / weight, and 0 where the weight is 0."""
    return total / torch.where(weight > 0, weight, 1.0)


def group_means(
    values: Float[Tensor, "N"], weight: Float[Tensor, "N"], groups: Int[Tensor, "N"], count: int
) -> tuple[Float[Tensor, "count"], Float[Tensor, "count"]]:
    """The weighted mean of each group, 0 for one that weighs nothing, and what each group weighs."""
    weights = weight.new_zeros(count).index_add(0, groups, weight)
    return over(values.new_zeros(count).index_add(0, groups, weight * values), weights), weights
