"""The third name of a fact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from .base import Kind, Task
from .misfits import misfit_of_one_class

if TYPE_CHECKING:
    from ..losses import Loss


@dataclass(frozen=True, slots=True)
class GraphCompletion(Task):
    """The entity that stands in a relation to a given one: of all entities the one that a fact names.

    Training is judged by the validation part's mean reciprocal rank, for what queries with many answers can reach in nats a fact
    says little of how well their answers are told from the rest.
    """

    kind: ClassVar[Kind] = "graph"
    held_out_metric: ClassVar[str] = "mrr"

    def misfit(self, loss: Loss, *, taught: bool = False) -> str:
        return misfit_of_one_class(loss, two=False, taught=taught)
