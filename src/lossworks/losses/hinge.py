"""Hinge losses: the target's logit should lead by 1, and no more is asked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.errors import UsageError
from .base import IMPOSSIBLE, CategoricalLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..scores import Scores

_KINDS = "crammer_singer", "weston_watkins"


@losses.add("hinge", source="Crammer & Singer 2001, JMLR 2:265; Weston & Watkins 1998, CSD-TR-98-04")
@dataclass(frozen=True, slots=True, kw_only=True)
class Hinge(CategoricalLoss):
    """max(0, 1 + z_v - z_y)^power, for the strongest other outcome v (Crammer-Singer) or summed over all (Weston-Watkins).

    In logits, not nats. Crammer-Singer is what scikit-learn's ``hinge_loss`` has; Weston-Watkins is V times PyTorch's
    ``multi_margin_loss``, which divides by V.
    Domain: kind is crammer_singer or weston_watkins; power is 1 or 2 (the squared hinge).
    Limit: over two outcomes both kinds are the ordinary hinge max(0, 1 ∓ z)^power.
    Gradient into z: zero once the target leads by 1; it never pushes for certainty.
    """

    kind: str = "crammer_singer"
    power: int = 1

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise UsageError(f"kind is {self.kind!r}; wanted {' or '.join(_KINDS)}.")
        if self.power not in (1, 2):
            raise UsageError(f"power is {self.power}; wanted 1 or 2.")

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        own = scores.logp.clamp_min(IMPOSSIBLE)
        if self.kind == "crammer_singer":
            short = self._short(scores.max_other_logp, own)
        else:
            short = scores.sum(self._short, own.unsqueeze(-1)) - 1  # the target against itself is short by 1
        return short.masked_fill(scores.logp < IMPOSSIBLE, math.inf)

    def _short(self, other: Tensor, own: Tensor) -> Tensor:
        lacking = (1 + other - own).clamp_min(0)
        return lacking if self.power == 1 else lacking.square()
