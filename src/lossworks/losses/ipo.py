"""Identity preference optimisation: a margin to reach, not one to grow for ever."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core import domains
from .base import losses
from .preference import Pairs, PreferenceLoss

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


@losses.add("ipo", source="Azar et al. 2024, arXiv:2310.12036, eq. 17")
@dataclass(frozen=True, slots=True, kw_only=True)
class IPO(PreferenceLoss):
    """(h - 1/(2 tau))², with h = log-ratio of the chosen - log-ratio of the rejected answer, log-ratio = log (model / reference).

    The square keeps the model near its reference even where a preference never varies.
    per_token: the log-ratios are averages over an answer's tokens, as TRL has it; the paper writes sums.
    Domain: tau > 0.  Limit: a model equal to its reference loses 1/(4 tau²).
    """

    tau: float = 0.1
    per_token: bool = False

    def __post_init__(self) -> None:
        domains.positive(self, "tau")

    def preferences(self, pairs: Pairs) -> Float[Tensor, "*pair"]:
        chosen, rejected = pairs.log_ratios()
        if self.per_token:
            chosen, rejected = pairs.per_token(chosen, rejected)
        return (chosen - rejected - 1 / (2 * self.tau)).square()
