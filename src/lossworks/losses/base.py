"""What a loss is: a frozen dataclass whose fields are its hyperparameters, giving one value a position.

Values are in nats (or the unit that the docstring names), never reduced and never masked: how positions combine
is the trainer's business. A loss may serve several kinds: ``values`` over ``Scores``, ``errors`` over numbers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..core import specs
from ..core.errors import UsageError
from ..core.registry import Registry
from ..scores import Scores, dense

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class Loss:
    """The root of every loss."""

    __slots__ = ()


class CategoricalLoss(Loss, ABC):
    """A loss over V outcomes, read through ``Scores``."""

    __slots__ = ()

    @abstractmethod
    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        """One value a position; position i's value depends on position i alone."""

    def __call__(self, scores: Scores | Float[Tensor, "*position V"], target: Int[Tensor, "*position"] | None = None) -> Tensor:
        """``loss(scores)``, or ``loss(logits, target)`` for plain tensors: one value a position.

        Raises:
            UsageError: logits without a target, or shapes that do not fit.
        """
        if isinstance(scores, Scores):
            return self.values(scores)
        if target is None:
            raise UsageError("loss(logits, target): got logits without a target.")
        return self.values(dense(scores, target))


class RegressionLoss(Loss, ABC):
    """A loss between a predicted and a true number."""

    __slots__ = ()

    @abstractmethod
    def errors(self, prediction: Float[Tensor, "*position"], value: Float[Tensor, "*position"]) -> Float[Tensor, "*position"]:
        """One value a position."""


losses: Registry[type[Loss]] = Registry("loss", "lossworks.losses")


def build(spec: str | Loss) -> Loss:
    """The loss that a spec such as ``"cross_entropy:label_smoothing=0.1"`` spells; a loss is returned as it is.

    Raises:
        UsageError: an unknown name or key, or a value outside its domain.
    """
    loss: Any = specs.build(losses, spec)
    if not isinstance(loss, Loss):
        raise UsageError(f"got {loss!r} as a loss. Give a spec such as 'cross_entropy', or an object from lossworks.losses.")
    return loss


def render(loss: Loss) -> str:
    """The spec that spells ``loss``."""
    return specs.render(losses, loss)
