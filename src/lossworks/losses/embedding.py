"""Losses that compare things with one another, such as embeddings: what belongs together is to be nearer than what does not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from ..core.errors import UsageError
from .base import Loss

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


class EmbeddingLoss(Loss, ABC):
    """A loss over rows that are compared: anchors, what they should be near to, and something to tell them apart by."""

    __slots__ = ()
    ranks: ClassVar[bool] = False
    """Whether it compares scores, one a row, rather than embeddings."""

    @abstractmethod
    def contrasts(self, first: Tensor, second: Tensor, third: Tensor, /) -> Float[Tensor, "N"]:
        """One value a row. What the three are, each loss says."""

    def of_triple(
        self, anchor: Float[Tensor, "1 d"], near: Float[Tensor, "1 d"], apart: Float[Tensor, "1 d"]
    ) -> Float[Tensor, "1"]:
        """The loss of an anchor with one embedding that it should be near to, and one that it should not."""
        return self.contrasts(anchor, near, apart)


def check_rows(what: str, like: Tensor, **others: Tensor) -> None:
    """Raise UsageError where the tensors have not all the shape of the first."""
    if any(other.shape != like.shape for other in others.values()):
        shapes = ", ".join(f"{name} {tuple(other.shape)}" for name, other in others.items())
        raise UsageError(f"{what}: got {shapes} beside {tuple(like.shape)}. Give all the same shape.")
