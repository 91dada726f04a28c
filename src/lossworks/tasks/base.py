"""What a task is: what is to be predicted, which losses fit it, and the proper metric that a model is judged by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from .. import losses, metrics
from ..core.errors import UsageError

if TYPE_CHECKING:
    from ..losses import Loss

Kind = Literal["classify", "multilabel", "regress", "lm", "graph"]


@dataclass(frozen=True, slots=True)
class Task(ABC):
    """The root of every task."""

    kind: ClassVar[Kind]
    default_loss: ClassVar[str] = "cross_entropy"
    right_metric: ClassVar[str | None] = None
    """The metric of ``by_row`` that is 1 where a row's answer is wholly right; None where there is no right or wrong."""
    taught_losses: ClassVar[tuple[str, str]] = "0.5*cross_entropy+0.5*forward_kl", "forward_kl"
    """The losses where none is named and something teaches: beside labels, and by itself."""
    held_out_metric: ClassVar[str] = "nll"
    """The proper score of the validation part by which training is judged where nothing else is named."""

    @property
    def proper(self) -> str:
        """The proper metric that results are compared by where none is named."""
        return metrics.PROPER[self.kind]

    @property
    def groups(self) -> int:
        """How many groups of positions a risk may compare; 0: there are none."""
        return 0

    @abstractmethod
    def misfit(self, loss: Loss, *, taught: bool = False) -> str:
        """Why a loss cannot say how wrong this task's answers are; empty where it can. taught: a teacher is beside the target."""

    @property
    def described(self) -> str:
        """The task in words."""
        return f"the task {self.kind}"

    def loss(self, spec: str | Loss, counts: Sequence[float] = (), *, taught: bool = False) -> Loss:
        """The loss that ``spec`` spells, told how often each class occurs (``counts``) where it asks for that.

        Raises:
            UsageError: it is not for this task.
        """
        loss = losses.build(spec)
        if reason := self.misfit(loss, taught=taught):
            fitting = [entry.name for entry in losses.losses if not self.misfit(entry.thing(), taught=taught)]
            raise UsageError(
                f"the loss {losses.render(loss)!r} is not for {self.described}: {reason}. Losses that are: {', '.join(fitting)}."
            )
        return loss.with_counts(tuple(counts)) if len(counts) else loss
