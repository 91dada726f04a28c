"""What a loss is: a frozen dataclass whose fields are its hyperparameters, giving one value a position.

Values are in nats (or the unit that the docstring names), never reduced and never masked: how positions combine
is the trainer's business. A loss may serve several kinds: ``values`` over ``Scores``, ``errors`` over numbers.
Losses add up: ``CrossEntropy() + 1e-4 * ZLoss()`` is a loss, and ``"cross_entropy+1e-4*z_loss"`` its spec (``sums.py``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from ..core.errors import UsageError
from ..core.registry import Registry

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

    from ..scores import Scores
    from .sums import Sum

IMPOSSIBLE = -1e30
"""Nats below which an outcome has no probability in any precision. What is multiplied or subtracted stops here: 0 ∞ is nan."""


class Loss:
    """The root of every loss."""

    __slots__ = ()

    @property
    def descends_value(self) -> bool:
        """Whether its gradient is that of its value; it is not where a part is held fixed."""
        return True

    @property
    def needs(self) -> str:
        """What must be given besides predictions and targets: "teacher", "negatives", or nothing."""
        return ""

    @property
    def looks_at_target(self) -> bool:
        """Whether it rewards the target; what does not is a term, to be added to a loss that does."""
        return True

    def __add__(self, other: Loss) -> Sum:
        from .sums import add

        return add(self, other)

    def __sub__(self, other: Loss) -> Sum:
        return self + -1 * other

    def __mul__(self, factor: float) -> Sum:
        from .sums import scale

        return scale(self, factor)

    __rmul__ = __mul__

    def with_counts(self, counts: tuple[float, ...]) -> Self:
        """The loss with how often each class occurs filled in, where it asks for ``counts`` and was given none."""
        return replace(self, counts=counts) if getattr(self, "counts", None) == () else self  # type: ignore[type-var]


class CategoricalLoss(Loss, ABC):
    """A loss over V outcomes, read through ``Scores``."""

    __slots__ = ()

    @property
    def positions_interact(self) -> bool:
        """Whether a position's value depends on other positions; such a loss cannot be cut into chunks of positions."""
        return False

    @abstractmethod
    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        """One value a position; position i's value depends on position i alone."""

    def __call__(
        self,
        scores: Scores | Float[Tensor, "*position V"],
        target: Int[Tensor, "*position"] | None = None,
        **beside: Any,
    ) -> Float[Tensor, "*position"]:
        """``loss(scores)``, or ``loss(logits, target)`` for plain tensors: one value a position.

        ``beside`` goes to ``scores.dense`` with the logits: teacher=, negatives=.

        Raises:
            UsageError: logits without a target, shapes that do not fit, or a loss that gives other than one value a position.
        """
        return _each(self, _view(scores, target, beside))


class BinaryLoss(CategoricalLoss, ABC):
    """A loss over outcomes that are (class 1) or are not (class 0): one logit each, through ``scores.binary``."""

    __slots__ = ()

    def __call__(
        self, scores: Scores | Float[Tensor, "*position 2"], target: Int[Tensor, "*position"] | None = None, **beside: Any
    ) -> Float[Tensor, "*position"]:
        """As for every categorical loss; two outcomes a position.

        Raises:
            UsageError: there are not two outcomes, or the loss gives other than one value a position.
        """
        view = _view(scores, target, beside)
        if view.classes != 2:
            raise UsageError(
                f"{type(self).__name__} is for two outcomes, got {view.classes}. Give scores.binary(logits, target)."
            )
        return _each(self, view)


def _each(loss: CategoricalLoss, scores: Scores) -> Tensor:
    """The loss's values, one a position: others would broadcast to something else without a word."""
    found, wanted = loss.values(scores), tuple(scores.target.shape)
    if (shape := tuple(found.shape)) != wanted:
        raise UsageError(
            f"{type(loss).__name__}.values gives a tensor of shape {shape}; wanted {wanted}, one value a position, as "
            "scores.logp has. Sum over the outcomes where each has its own, and leave the mean over positions to the training."
        )
    return found


def _view(scores: Scores | Tensor, target: Tensor | None, beside: dict[str, Any]) -> Scores:
    """The scores that a loss is called with, or those of the logits."""
    from ..scores import Scores, dense

    if isinstance(scores, Scores):
        return scores
    if target is None:
        raise UsageError("loss(logits, target): got logits without a target.")
    return dense(scores, target, **beside)


class RegressionLoss(Loss, ABC):
    """A loss between a predicted and a true number."""

    __slots__ = ()

    def errors(
        self,
        prediction: Float[Tensor, "*position"],
        value: Float[Tensor, "*position"],
        teacher: Float[Tensor, "*position"] | None = None,
    ) -> Float[Tensor, "*position"]:
        """One value a position; a loss that ``needs`` a teacher compares with its number in the place of the value.

        Raises:
            UsageError: the shapes differ.
        """
        value = teacher if teacher is not None and self.needs else value
        if prediction.shape != value.shape:  # [N, 1] and [N] would broadcast to [N, N]
            raise UsageError(
                f"{type(self).__name__}: got predictions {tuple(prediction.shape)} and values {tuple(value.shape)}. "
                "Give both the same shape, as in prediction.squeeze(-1) or value.expand_as(prediction)."
            )
        return self.between(prediction, value)

    @abstractmethod
    def between(self, prediction: Float[Tensor, "*position"], value: Float[Tensor, "*position"]) -> Float[Tensor, "*position"]:
        """What ``errors`` gives, of a prediction and a value of the same shape."""


losses: Registry[Loss] = Registry(
    "loss", "lossworks.losses", Loss, "Give a spec such as 'cross_entropy', or an object from lossworks.losses."
)
