"""Simple preference optimisation: averages instead of a reference, and a margin to win by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn.functional import logsigmoid

from ..core import domains
from .base import losses
from .preference import Pairs, PreferenceLoss

if TYPE_CHECKING:
    from jaxtyping import Float


@losses.add("simpo", source="Meng et al. 2024, arXiv:2405.14734, eq. 6")
@dataclass(frozen=True, slots=True, kw_only=True)
class SimPO(PreferenceLoss):
    """-log σ(beta (a_c - a_r) - gamma), with a the average log-probability of the tokens of the chosen and the rejected answer.

    Domain: beta > 0; gamma >= 0, the margin by which the chosen answer should win.
    Limit: answers that are equally probable a token lose log(1 + e^gamma).
    """

    beta: float = 2.0
    gamma: float = 1.0

    def __post_init__(self) -> None:
        domains.positive(self, "beta")
        domains.nonnegative(self, "gamma")

    def preferences(self, pairs: Pairs) -> Float[Tensor, "*pair"]:
        chosen, rejected = pairs.per_token(pairs.chosen, pairs.rejected)
        return -logsigmoid(self.beta * (chosen - rejected) - self.gamma)
