"""The view: unnormalised log-probabilities ``z`` over V outcomes and a target per position, seen as statistics.

Losses are written against this class alone, so a loss is spelled once however the logits are held.
Every statistic has one value per position, in float32 or better, and is differentiable unless it says otherwise.
All but ``logsumexp`` and ``logits`` are unchanged when a constant is added to a position's logits, and are
computed so that they stay exact when the logits are large.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class Scores(ABC):
    """V scored outcomes and a target at each position. Shapes: ``*position`` is any number of leading axes."""

    target: Int[Tensor, "*position"]
    classes: int

    @property
    @abstractmethod
    def logp(self) -> Float[Tensor, "*position"]:
        """Log-probability of the target, in nats: z_y - logsumexp(z). Gradient into z: e_y - p."""

    @property
    @abstractmethod
    def mean_logp(self) -> Float[Tensor, "*position"]:
        """Mean over the outcomes of their log-probabilities. Gradient: 1/V - p."""

    @property
    @abstractmethod
    def entropy(self) -> Float[Tensor, "*position"]:
        """-Σ p log p, in nats. Gradient: -p (log p + entropy)."""

    @property
    @abstractmethod
    def logsumexp(self) -> Float[Tensor, "*position"]:
        """log Σ exp(z), the log-normaliser. Gradient: p."""

    @abstractmethod
    def square_sum(self, weight: Float[Tensor, "V"] | None = None) -> Float[Tensor, "*position"]:
        """Σ_v w_v p_v², with w = 1 where no weight is given. Gradient: 2 p (w p - Σ w p²)."""

    @abstractmethod
    def logp_of(self, ids: Int[Tensor, "*position k"]) -> Float[Tensor, "*position k"]:
        """Log-probabilities of the outcomes ``ids``."""

    @abstractmethod
    def expected_logp(self, q: Float[Tensor, "*#position V"]) -> Float[Tensor, "*position"]:
        """Σ_v q_v log p_v: the log-probability expected under the weights ``q``. Gradient: q - p Σ q."""

    @property
    @abstractmethod
    def argmax(self) -> Int[Tensor, "*position"]:
        """The most probable outcome; of equals, the first. No gradient."""

    @property
    @abstractmethod
    def logits(self) -> Float[Tensor, "*position V"]:
        """The whole of z, for the few losses that cannot do without."""

    def at_target(self, values: Float[Tensor, "V"]) -> Float[Tensor, "*position"]:
        """The value of each position's target, out of one value a class."""
        return values.expand(*self.target.shape, -1).gather(-1, self.target.long().unsqueeze(-1)).squeeze(-1)

    def of_classes(self, values: tuple[float, ...], what: str) -> Float[Tensor, "V"]:
        """``values``, one a class, as a tensor beside the scores.

        Raises:
            UsageError: their number is not the number of classes.
        """
        from ..core.errors import UsageError

        if len(values) != self.classes:
            raise UsageError(f"{what}: got {len(values)} values for {self.classes} classes. Give one value a class.")
        return self.logp.new_tensor(values)
