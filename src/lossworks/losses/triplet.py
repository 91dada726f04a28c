"""The triplet loss: an anchor nearer to its like than to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from ..core import domains
from ..core.errors import UsageError
from .base import losses
from .embedding import EmbeddingLoss, check_rows

if TYPE_CHECKING:
    from jaxtyping import Float

DISTANCES = ("euclidean", "cosine")


@losses.add(
    "triplet", source="Schroff et al. 2015, arXiv:1503.03832, eq. 3; not squared: Balntas et al. 2016, BMVC, doi:10.5244/C.30.119"
)
@dataclass(frozen=True, slots=True, kw_only=True)
class Triplet(EmbeddingLoss):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), with d the Euclidean distance or 1 - cosine.

    Schroff et al. square the Euclidean distance; here, as in PyTorch, it is not squared.
    Domain: margin >= 0, finite; distance is "euclidean" or "cosine".
    Limit: a negative that is further off than the positive by the margin or more costs nothing.
    """

    margin: float = 1.0
    distance: str = "euclidean"

    def __post_init__(self) -> None:
        domains.nonnegative(self, "margin")
        if self.distance not in DISTANCES:
            raise UsageError(f"distance is {self.distance!r}; wanted one of {', '.join(DISTANCES)}.")

    def contrasts(
        self, anchor: Float[Tensor, "N d"], positive: Float[Tensor, "N d"], negative: Float[Tensor, "N d"], /
    ) -> Float[Tensor, "N"]:
        check_rows("triplet", anchor, positive=positive, negative=negative)
        return (self._apart(anchor, positive) - self._apart(anchor, negative) + self.margin).relu()

    def _apart(self, a: Float[Tensor, "N d"], b: Float[Tensor, "N d"]) -> Float[Tensor, "N"]:
        if self.distance == "cosine":
            return 1 - cosine_similarity(a, b, dim=-1)
        euclidean: Tensor = torch.linalg.vector_norm(a - b, dim=-1)
        return euclidean
