"""What a family of models of knowledge graphs is: hyperparameters, and the network that they make."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..core import domains

if TYPE_CHECKING:
    from .graph_network import GraphNetwork


@dataclass(frozen=True, kw_only=True)
class GraphSpec(ABC):
    """The hyperparameters of a family.

    dim: coordinates of an entity, complex ones where the family has such.
    scale: standard deviation of the first weights.
    negatives: entities drawn at random in each step, in the place of all that an answer is told from; 0: all. The normaliser is
        estimated without bias (``scores.sampled``), and a step takes time in proportion to them.
    """

    dim: int = 256
    scale: float = 0.1
    negatives: int = 0
    optimizer: ClassVar[str] = "adagrad:lr=0.1"
    epochs: ClassVar[int] = 100
    patience: ClassVar[int] = 10
    batch_size: ClassVar[int] = 128
    no_further: ClassVar[str] = "a model of a knowledge graph knows but the names that it was trained on"
    """Queries a step."""

    def __post_init__(self) -> None:
        domains.count(self, "dim")
        domains.positive(self, "scale")
        domains.nonnegative(self, "negatives")

    @property
    def width(self) -> int:
        """Numbers that an entity has."""
        return self.dim

    @property
    def relation_width(self) -> int:
        """Numbers that a relation has."""
        return self.width

    @abstractmethod
    def network(self, entities: int, relations: int, seed: int) -> GraphNetwork:
        """The network over V entities and R relations with their inverses, its first weights a function of ``seed``."""


@dataclass(frozen=True, kw_only=True)
class FactorSpec(GraphSpec):
    """A factorisation of the tensor of facts.

    n3: strength of the nuclear 3-norm, Σ |x|³ over the coordinates of the three vectors of each fact in a step (Lacroix et al.
        2018, arXiv:1806.07297, section 4): what is rare is shrunk as rarely as it is seen.
    """

    n3: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        domains.nonnegative(self, "n3")
