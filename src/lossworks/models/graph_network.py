"""What a model of a knowledge graph is: from a query (an entity, a relation) to scores of the entities as its answer."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..core.seeds import first_weights
from ..data.features import Selected
from ..scores import Scores, shared
from ..scores.sampled import Candidates
from .glosses import Glosses
from .graph_spec import FactorSpec, GraphSpec

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class GraphNetwork(nn.Module, ABC):
    """A vector for each entity and each of 2R relations, R of them inverses, so that every question is one for a tail.

    Scores are a last layer's: a state made of the query (``compose``) times the ``table`` of entities, plus a ``bias`` of each
    entity where the family has one. The network never sees a loss.

    spec: the hyperparameters that it was made from.
    """

    def __init__(self, spec: GraphSpec, entities: int, relations: int, seed: int) -> None:
        super().__init__()
        self.spec = spec
        self.described: GraphNetwork | None = None
        with first_weights(seed):
            self.entities: nn.Embedding | Glosses = nn.Embedding(entities, spec.width)
            self.relations = nn.Embedding(2 * relations, spec.relation_width)
            for table in (self.entities, self.relations):
                nn.init.normal_(table.weight, std=spec.scale)

    def describe(self, texts: Selected, words: int, seed: int) -> None:
        """Put beside this network one of the same family whose entities are told by their descriptions alone: ``described``. The
        scores of both are added up, as if an entity's vector were its row here and the one made of its words, end to end.

        Each learns from a loss of its own. In one loss words, which many entities share, learn the training facts before the rows
        do, and then neither knows more than that.
        """
        self.described = self.spec.network(1, self.relations.num_embeddings // 2, seed)
        self.described.entities = Glosses(texts, words, self.relations.num_embeddings, self.spec.width, self.spec.scale, seed)

    @property
    def parts(self) -> list[GraphNetwork]:
        """This network, and ``described`` where there is one."""
        return [self] if self.described is None else [self, self.described]

    def table(self) -> Float[Tensor, "V width"]:
        """The vectors of all entities, which are the last layer."""
        return self.entities() if isinstance(self.entities, Glosses) else self.entities.weight

    @abstractmethod
    def compose(self, entity: Float[Tensor, "B width"], relation: Float[Tensor, "B r"]) -> Float[Tensor, "B width"]:
        """The states of queries, of the vectors of their entities and relations."""

    def bias(self, entity: Float[Tensor, "E width"]) -> Float[Tensor, "E"] | None:
        """What is added to the scores of entities with these vectors."""
        return None

    def logits(
        self,
        head: Int[Tensor, "B"],
        entity: Float[Tensor, "B width"],
        relation: Int[Tensor, "B"],
        table: Float[Tensor, "V width"],
    ) -> Float[Tensor, "B V"]:
        """Scores of all entities as the answers, unnormalised log-probabilities, by the ``table`` of their vectors.

        head: the entities asked about, -1 for one that is none of these; entity: their vectors. relation: 0 to 2R - 1.
        """
        found = functional.linear(self.compose(entity, self.relations(relation)), table, self.bias(table))
        if not isinstance(self.entities, Glosses):
            return found
        rows = (head >= 0).nonzero().squeeze(-1)
        return found.index_put((rows, head[rows]), self.entities.loops(relation[rows]).squeeze(-1), accumulate=True)

    def scored(
        self, head: Int[Tensor, "U"], relation: Int[Tensor, "U"], row: Int[Tensor, "N"], tail: Int[Tensor, "N"]
    ) -> tuple[Scores, Float[Tensor, "N"] | None]:
        """Scores of the answers to queries, ``tail[n]`` to query ``row[n]``, and what each of these facts adds to its own loss
        for the size of its vectors (None: nothing). ``relation`` is 0 to 2R - 1.

        Answers are told from all entities, or as the spec says from some that are drawn, whose vectors alone are then read.
        """
        drawn, relations = self.spec.negatives, self.relations(relation)
        if not drawn:
            table = self.table()
            heads = table.index_select(0, head)
            scores = shared(self.logits(head, heads, relation, table), row, tail)
            return scores, self.penalties(heads, relations, table, row, tail)
        entities = self.entities.num_embeddings
        noise = torch.randint(entities, (drawn,), device=head.device)
        wanted, place = torch.cat([head, tail, noise]).unique(return_inverse=True)  # type: ignore[no-untyped-call]
        vectors: Tensor = self.entities(wanted)
        at_head, at_tail, at_noise = place.split([len(head), len(tail), drawn])
        heads, bias = vectors.index_select(0, at_head), self.bias(vectors)
        states = self.compose(heads, relations)
        own = (states.index_select(0, row) * vectors.index_select(0, at_tail)).sum(-1)
        others, itself = functional.linear(states, vectors.index_select(0, at_noise)), (states * heads).sum(-1, keepdim=True)
        asked = head[row, None]
        if bias is not None:
            own, others, itself = own + bias[at_tail], others + bias[at_noise], itself + bias[at_head, None]
        if isinstance(self.entities, Glosses):
            loops = self.entities.loops(relation)
            own, itself = own + (loops[row] * (asked == tail[:, None])).squeeze(-1), itself + loops
        # What is asked about is like itself, most of all by its description, and is hardly ever drawn: so it is always there.
        hits = torch.cat([(noise == tail[:, None]) | (noise == asked), asked == tail[:, None]], -1)
        expected = torch.cat([own.new_full((drawn,), math.log(drawn / entities)), own.new_zeros(1)])
        found = Candidates(own, torch.cat([others, itself], -1).index_select(0, row), torch.zeros_like(own), expected, hits)
        return found.scores(), self.penalties(heads, relations, vectors, row, at_tail)

    def penalties(
        self,
        head: Float[Tensor, "U width"],
        relation: Float[Tensor, "U r"],
        table: Float[Tensor, "E width"],
        row: Int[Tensor, "N"],
        tail: Int[Tensor, "N"],
    ) -> Float[Tensor, "N"] | None:
        """What facts add to their losses for the size of their vectors; those of their answers are ``tail`` of a ``table``."""
        return None


class FactorNetwork(GraphNetwork):
    """The network of a ``FactorSpec``."""

    spec: FactorSpec

    @abstractmethod
    def cubes(self, vectors: Float[Tensor, "N width"]) -> Float[Tensor, "N"]:
        """Σ |x|³ over the coordinates of each vector."""

    def penalties(
        self,
        head: Float[Tensor, "U width"],
        relation: Float[Tensor, "U r"],
        table: Float[Tensor, "E width"],
        row: Int[Tensor, "N"],
        tail: Int[Tensor, "N"],
    ) -> Float[Tensor, "N"] | None:
        if not self.spec.n3:
            return None
        each, place = tail.unique(return_inverse=True)  # type: ignore[no-untyped-call]  # answers recur: each is cubed once
        queries, answers = self.cubes(head) + self.cubes(relation), self.cubes(table.index_select(0, each))
        return self.spec.n3 * (queries[row] + answers[place])
