"""The margin ranking loss: of two scores, the one that should be higher is so by a margin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..core import domains
from .base import losses
from .embedding import EmbeddingLoss, check_rows

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


@losses.add("margin_ranking", source="Joachims 2002, KDD, doi:10.1145/775047.775067, sec. 4")
@dataclass(frozen=True, slots=True, kw_only=True)
class MarginRanking(EmbeddingLoss):
    """max(0, margin - sign · (first - second)); sign is 1 where the first should be higher, -1 where the second should.

    Domain: margin >= 0, finite.  Limit: margin = 0 asks for the right order alone, and equal scores cost nothing.
    Gradient into the first score: -sign where the margin is not reached, 0 elsewhere; into the second the opposite.
    """

    ranks: ClassVar[bool] = True
    margin: float = 1.0

    def __post_init__(self) -> None:
        domains.nonnegative(self, "margin")

    def contrasts(self, first: Float[Tensor, "N"], second: Float[Tensor, "N"], sign: Float[Tensor, "N"], /) -> Float[Tensor, "N"]:
        check_rows("margin_ranking", first, second=second, sign=sign)
        return (self.margin - sign * (first - second)).relu()
