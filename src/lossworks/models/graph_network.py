"""What a model of a knowledge graph is: from a query (an entity, a relation) to scores of the entities as its answer."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core import domains
from ..core.seeds import first_weights
from ..scores import shared
from ..scores.sampled import candidates

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from ..scores import Scores


class GraphNetwork(nn.Module, ABC):
    """A vector for each entity and each of 2R relations, R of them inverses, so that every question is one for a tail.

    Scores are a last layer's: a state made of the query (``compose``) times the table of entities, which is the ``head``, plus a
    ``bias`` of each entity where the family has one. The network never sees a loss.

    spec: the hyperparameters that it was made from.
    """

    def __init__(self, spec: GraphSpec, entities: int, relations: int, seed: int) -> None:
        super().__init__()
        self.spec = spec
        with first_weights(seed):
            self.entities = nn.Embedding(entities, spec.width)
            self.relations = nn.Embedding(2 * relations, spec.relation_width)
            for table in (self.entities, self.relations):
                nn.init.normal_(table.weight, std=spec.scale)

    @property
    def head(self) -> Float[Tensor, "V width"]:
        """The last layer."""
        return self.entities.weight

    @abstractmethod
    def compose(self, entity: Float[Tensor, "B width"], relation: Float[Tensor, "B r"]) -> Float[Tensor, "B width"]:
        """The states of queries, of the vectors of their entities and relations."""

    def bias(self, entity: Float[Tensor, "E width"]) -> Float[Tensor, "E"] | None:
        """What is added to the scores of entities with these vectors."""
        return None

    def logits(self, head: Int[Tensor, "B"], relation: Int[Tensor, "B"]) -> Float[Tensor, "B V"]:
        """Scores of every entity as the tail, unnormalised log-probabilities; ``relation`` is 0 to 2R - 1."""
        states = self.compose(self.entities(head), self.relations(relation))
        return functional.linear(states, self.head, self.bias(self.head))

    def scores(self, head: Int[Tensor, "U"], relation: Int[Tensor, "U"], row: Int[Tensor, "N"], tail: Int[Tensor, "N"]) -> Scores:
        """Scores of the answers to queries: ``tail[n]`` is an answer to query ``row[n]``. As the spec says, among all entities,
        or among some that are drawn, whose vectors are then all that is read.
        """
        drawn = self.spec.negatives
        if not drawn:
            return shared(self.logits(head, relation), row, tail)
        noise = torch.randint(len(self.head), (drawn,), device=head.device)
        wanted, place = torch.cat([head, tail, noise]).unique(return_inverse=True)  # type: ignore[no-untyped-call]
        vectors = self.entities(wanted)
        heads, tails, others = place.split([len(head), len(tail), drawn])
        states = self.compose(vectors[heads], self.relations(relation))[row]
        found = candidates(states, vectors, tails, others, bias=self.bias(vectors))
        expected = torch.full_like(found.noise_log_count, math.log(drawn / len(self.head)))
        return replace(found, noise_log_count=expected).scores()

    def penalties(
        self, head: Int[Tensor, "U"], relation: Int[Tensor, "U"], row: Int[Tensor, "N"], tail: Int[Tensor, "N"]
    ) -> Float[Tensor, "N"] | None:
        """What each of the facts that ``scores`` takes adds to its own loss for the size of its vectors; None: nothing."""
        return None


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


class FactorNetwork(GraphNetwork):
    """The network of a ``FactorSpec``."""

    spec: FactorSpec

    @abstractmethod
    def cubes(self, vectors: Float[Tensor, "N width"]) -> Float[Tensor, "N"]:
        """Σ |x|³ over the coordinates of each vector."""

    def penalties(
        self, head: Int[Tensor, "U"], relation: Int[Tensor, "U"], row: Int[Tensor, "N"], tail: Int[Tensor, "N"]
    ) -> Float[Tensor, "N"] | None:
        if not self.spec.n3:
            return None
        each, place = tail.unique(return_inverse=True)  # type: ignore[no-untyped-call]  # answers recur: each is cubed once
        queries = self.cubes(self.entities(head)) + self.cubes(self.relations(relation))
        return self.spec.n3 * (queries[row] + self.cubes(self.entities(each))[place])
