"""What the losses that compare with a teacher share: how scores and teacher reach the divergence, and its safe pieces.

p is what the scores say (the student), q the teacher. A divergence is Σ over the outcomes of a function of log p and log q.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..core import domains
from ..core.errors import UsageError
from ..scores.counted import counted
from ..scores.teacher import TopK
from .base import CategoricalLoss

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from ..scores import Scores


_FAR = 1e4  # nats


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence(CategoricalLoss, ABC):
    """T² Σ_v term(log p_v, log q_v), with p and q softened: their logits are divided by the temperature T.

    The factor T² keeps the gradient's size when T changes (Hinton et al. 2015, arXiv:1503.02531, sec. 2).
    """

    temperature: float = 1.0
    needs: ClassVar[str] = "teacher"

    def __post_init__(self) -> None:
        domains.positive(self, "temperature")

    @abstractmethod
    def term(self, own: Tensor, teacher: Tensor) -> Tensor:
        """What an outcome adds, from log p and log q, element by element."""

    def values(self, scores: Scores) -> Float[Tensor, "*position"]:
        if self.temperature == 1 or scores.teacher is None:
            return scores.against_teacher(self.term)
        if isinstance(scores.teacher, TopK):
            raise UsageError(
                f"temperature is {self.temperature}, and a top-k teacher cannot be softened: its rest is not known outcome by "
                "outcome. Use temperature=1, or give the teacher's scores whole."
            )
        scale = 1 / self.temperature
        return self.temperature**2 * scores.adjusted(scale=scale).sum(self.term, scores.teacher.adjusted(scale=scale))


def compared(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """e^a, and a - b, which counts as 0 where e^a is: 0 log 0 is 0. It is infinite where b alone is impossible."""
    weight = a.exp()
    one, other = counted(weight, a, b)
    return weight, one - other


def log_odds(a: Tensor, b: Tensor, share: float) -> Tensor:
    """log((1 - share) e^b / (share e^a)), with large numbers for infinite ones, and some number where both are impossible.

    So what it is multiplied with may be 0.
    """
    return (b - a + (math.log1p(-share) - math.log(share))).nan_to_num(0.0, _FAR, -_FAR)
