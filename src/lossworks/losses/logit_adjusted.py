"""Logit-adjusted cross-entropy: frequent classes start ahead in training, so that they need not be ahead in use."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.errors import UsageError
from .base import CategoricalLoss, losses
from .counts import check, known

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..scores import Scores


@losses.add("logit_adjusted", source="Menon et al. 2021, arXiv:2007.07314, eq. 10")
@dataclass(frozen=True, slots=True, kw_only=True)
class LogitAdjusted(CategoricalLoss):
    """-log softmax(z + tau log π)_y, with π how often each class occurs in the training data.

    The unadjusted z then say which class is probable where all are equally frequent (tau = 1): what balanced accuracy asks for.
    Domain: counts > 0, one a class, or () to be filled in from the training data; tau finite (below 0 favours frequent classes).
    Limit: tau = 0, or equal counts, is cross-entropy.
    """

    counts: tuple[float, ...] = ()
    tau: float = 1.0

    def __post_init__(self) -> None:
        check(self.counts)
        if not math.isfinite(self.tau):
            raise UsageError(f"tau is {self.tau}; wanted a finite number.")

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        counts = scores.of_classes(known(self.counts), "counts")
        return -scores.adjusted(offset=self.tau * (counts / counts.sum()).log()).logp
