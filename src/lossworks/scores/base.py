"""The view: unnormalised log-probabilities ``z`` over V outcomes and a target per position, seen as statistics.

Losses are written against this class alone, so a loss is spelled once however the logits are held.
Every statistic has one value per position, in float32 or better, and is differentiable unless it says otherwise.
All but ``logsumexp`` and ``logits`` are unchanged when a constant is added to a position's logits, and are
computed so that they stay exact when the logits are large.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..core.errors import UsageError
from .classwise import classwise
from .counted import counted

if TYPE_CHECKING:
    from jaxtyping import Float, Int, Shaped

    from .teacher import Teacher


class Scores(ABC):
    """V scored outcomes and a target at each position. Shapes: ``*position`` is any number of leading axes.

    teacher: another distribution at each position, for the losses that compare with one.
    negatives: ids that should be improbable at each position, [*position, k], for the losses that push them down; below 0
        is padding.
    """

    target: Int[Tensor, "*position"]
    classes: int
    teacher: Teacher | None = None
    negatives: Int[Tensor, "*position k"] | None = None
    single_use: bool = False  # read once, for values and their first derivative, outside torch.func

    @property
    def readable(self) -> bool:
        """Whether a loss may look at numbers and leave out what they make needless: on a CPU, where it waits for nothing."""
        return self.single_use and self.target.device.type == "cpu"

    @cached_property
    @torch.enable_grad()
    def logp(self) -> Float[Tensor, "*position"]:
        """Log-probability of the target, in nats: z_y - logsumexp(z). Gradient into z: e_y - p."""
        return self.logp_of(self.target.unsqueeze(-1)).squeeze(-1)

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

    @property
    @abstractmethod
    def max_other_logp(self) -> Float[Tensor, "*position"]:
        """The largest log-probability of an outcome that is not the target; -inf where there is no other. Gradient: e_r - p."""

    @property
    @abstractmethod
    def rest_logp(self) -> Float[Tensor, "*position"]:
        """log(1 - p_r), with r the most probable outcome: the log-probability of all others; -inf where there is no other.

        Gradient: p_v / (1 - p_r) - p_v for the others, -p_r for r.
        """

    @abstractmethod
    def square_sum(self, weight: Float[Tensor, "V"] | None = None) -> Float[Tensor, "*position"]:
        """Σ_v w_v p_v², with w = 1 where no weight is given. Gradient: 2 p (w p - Σ w p²)."""

    @abstractmethod
    def logp_of(self, ids: Int[Tensor, "*position k"]) -> Float[Tensor, "*position k"]:
        """Log-probabilities of the outcomes ``ids``."""

    @abstractmethod
    def expected_logp(self, q: Float[Tensor, "*#position V"]) -> Float[Tensor, "*position"]:
        """Σ_v q_v log p_v: the log-probability expected under the weights ``q``. Gradient: q - p Σ q."""

    def sum(self, f: Callable[..., Tensor], *others: Tensor | Scores) -> Float[Tensor, "*position"]:
        """Σ_v f(log p_v, o_v, …): any function of one outcome, summed over the outcomes; see ``sums``."""
        return self.sums(lambda *outcome: (f(*outcome),), *others)[0]

    @abstractmethod
    def sums(self, f: Callable[..., Sequence[Tensor]], *others: Tensor | Scores) -> tuple[Float[Tensor, "*position"], ...]:
        """Σ_v f_i(log p_v, o_v, …): several functions of one outcome, made in one go, each summed over the outcomes.

        ``others`` reach ``f`` beside the log-probabilities: a tensor with V (or 1, for one value a position) as its last
        axis, or other scores, which give their log-probabilities without a gradient. ``f`` works element by element, and
        uses no tensor that needs a gradient but those it is handed: then the sum can be cut anywhere along the outcomes.
        """

    def sums_near(self, reach: float) -> Callable[..., Sequence[Tensor]]:
        """``sums`` for functions of one outcome that are 0, with their gradients, from ``reach`` nats below the largest on.

        Scores may leave out what lies below, and these leave out nothing. What reaches the functions has 1 as its last axis.
        """
        return self.sums

    @property
    def top(self) -> Float[Tensor, "*position"]:
        """The largest log-probability. No gradient."""
        return self.logp_of(self.argmax.unsqueeze(-1)).squeeze(-1).detach()

    @property
    @abstractmethod
    def argmax(self) -> Int[Tensor, "*position"]:
        """The most probable outcome; of equals, the first. No gradient."""

    @property
    @abstractmethod
    def logits(self) -> Float[Tensor, "*position V"]:
        """The whole of z, for the few losses that cannot do without."""

    @abstractmethod
    def adjusted(
        self, *, scale: float = 1.0, offset: Float[Tensor, "V"] | None = None, margin: Float[Tensor, "*position"] | None = None
    ) -> Scores:
        """Scores of the logits scale · (z - margin at the target) + offset, with the same target, teacher and negatives."""

    @abstractmethod
    def rows(self, rows: Int[Tensor, "M"] | slice) -> Scores:
        """The scores at some of the positions, which are flattened first."""

    @abstractmethod
    def explain(self) -> str:
        """Which way these scores are computed, in words."""

    def _given_at(self, rows: Int[Tensor, "M"] | slice) -> tuple[Tensor, Teacher | None, Tensor | None]:
        """Target, teacher and negatives at some of the positions, flattened."""
        teacher = None if self.teacher is None else self.teacher.rows(rows)
        negatives = None if self.negatives is None else flat(self.negatives)[rows]
        return self.target.flatten()[rows], teacher, negatives

    def at_target(self, values: Float[Tensor, "V"]) -> Float[Tensor, "*position"]:
        """The value of each position's target, out of one value a class."""
        return values.expand(*self.target.shape, -1).gather(-1, self.target.long().unsqueeze(-1)).squeeze(-1)

    def weighed_logp(self, weight: Float[Tensor, "V"]) -> Float[Tensor, "*position"]:
        """``logp`` times the target's weight, out of one a class; 0 where that is 0, though the target be impossible."""
        own = self.at_target(weight)
        return own * counted(own, self.logp)[0]

    def of_classes(self, values: tuple[float, ...], what: str) -> Float[Tensor, "V"]:
        """``values``, one a class, as a tensor beside the scores.

        Raises:
            UsageError: their number is not the number of classes.
        """
        if len(values) != self.classes:
            raise UsageError(f"{what}: got {len(values)} values for {self.classes} classes. Give one value a class.")
        return classwise(values, self.logp)

    def against_teacher(self, f: Callable[[Tensor, Tensor], Tensor]) -> Float[Tensor, "*position"]:
        """Σ f(log p, log q) over what the teacher q tells apart: every outcome, or its top k and all the rest as one.

        Raises:
            UsageError: there is no teacher.
        """
        if self.teacher is None:
            raise UsageError("this loss compares with a teacher, and the scores have none. Give teacher= to the scores.")
        if isinstance(self.teacher, Scores):
            return self.sum(f, self.teacher)
        own = self.teacher.reduced(self)
        return f(own, self.teacher.logp.to(own.dtype)).sum(-1)

    def logp_of_negatives(self) -> tuple[Float[Tensor, "*position k"], Tensor]:
        """Log-probabilities of the negatives, and which of them are there (True) or padding (False).

        Raises:
            UsageError: there are no negatives.
        """
        if self.negatives is None:
            raise UsageError("this loss pushes negatives down, and the scores have none. Give negatives= ([*position, k] ids).")
        there = self.negatives >= 0
        return self.logp_of(torch.where(there, self.negatives, 0)), there


def flat(tensor: Shaped[Tensor, "*position k"]) -> Shaped[Tensor, "M k"]:
    """All positions on one axis."""
    return tensor.reshape(tensor.shape[:-1].numel(), tensor.shape[-1])


def upcast(tensor: Tensor) -> Tensor:
    """Half precision read in float32; anything wider as it is."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
