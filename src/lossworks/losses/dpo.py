"""Direct preference optimisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn.functional import logsigmoid

from ..core import domains
from ..core.errors import UsageError
from .base import losses
from .preference import Pairs, PreferenceLoss

if TYPE_CHECKING:
    from jaxtyping import Float


@losses.add(
    "dpo",
    source="Rafailov et al. 2023, arXiv:2305.18290, eq. 7; smoothing: Mitchell 2023, A note on DPO with noisy preferences, eq. 3",
)
@dataclass(frozen=True, slots=True, kw_only=True)
class DPO(PreferenceLoss):
    """-log σ(h), with h = beta (log-ratio of the chosen - log-ratio of the rejected answer), log-ratio = log (model / reference).

    With label_smoothing ε, the chance that a preference is the wrong way round: -(1 - ε) log σ(h) - ε log σ(-h).
    Domain: beta > 0; 0 <= label_smoothing < 0.5.
    Limit: a model equal to its reference loses log 2, whatever beta.
    Gradient into h: σ(h) - (1 - ε), so with ε > 0 a margin can be too large.
    """

    beta: float = 0.1
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        domains.positive(self, "beta")
        if not 0 <= self.label_smoothing < 0.5:
            raise UsageError(f"label_smoothing is {self.label_smoothing}; wanted 0 or more and less than 0.5.")

    def preferences(self, pairs: Pairs) -> Float[Tensor, "*pair"]:
        chosen, rejected = pairs.log_ratios()
        margin = self.beta * (chosen - rejected)
        return -(1 - self.label_smoothing) * logsigmoid(margin) - self.label_smoothing * logsigmoid(-margin)
