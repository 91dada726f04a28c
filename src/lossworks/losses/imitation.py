"""The error against a teacher's number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..core.errors import UnknownName
from .base import RegressionLoss, losses

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

_BY = ("mse", "mae", "huber", "log_cosh")


@losses.add("imitation", source="Saputra et al. 2019, ICCV, arXiv:1908.00858, eq. 3")
@dataclass(frozen=True, slots=True, kw_only=True)
class Imitation(RegressionLoss):
    """The loss ``by`` of ŷ - q, with q the number that a teacher gives in the place of y: beside a loss of y, distillation.

    In a loop of your own, give it the teacher's numbers as the values.
    Domain: by is mse, mae, huber or log_cosh.
    Limit: with a teacher that gives y it is the loss ``by`` itself.
    """

    by: str = "mse"
    needs: ClassVar[str] = "teacher"

    def __post_init__(self) -> None:
        if self.by not in _BY:
            raise UnknownName("loss between numbers", self.by, _BY)

    def between(self, prediction: Float[Tensor, "*position"], value: Float[Tensor, "*position"]) -> Float[Tensor, "*position"]:
        loss = losses.build(self.by)
        assert isinstance(loss, RegressionLoss)
        return loss.between(prediction, value)
