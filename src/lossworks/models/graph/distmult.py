"""DistMult: a diagonal matrix for each relation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from ..base import models
from ..graph_network import FactorNetwork, GraphNetwork
from ..graph_spec import FactorSpec

if TYPE_CHECKING:
    from jaxtyping import Float


@models.add("distmult", source="Yang et al. 2015, arXiv:1412.6575, eq. 3 with a diagonal matrix")
@dataclass(frozen=True, kw_only=True)
class DistMultSpec(FactorSpec):
    """Σ h r t. For a knowledge graph (``--task graph``). A relation and its inverse have vectors of their own.

    Domain: dim >= 1, scale > 0, negatives >= 0, n3 >= 0.
    """

    def network(self, entities: int, relations: int, seed: int) -> GraphNetwork:
        return DistMult(self, entities, relations, seed)


class DistMult(FactorNetwork):
    """The state of a query is h ∘ r."""

    def compose(self, entity: Float[Tensor, "B width"], relation: Float[Tensor, "B r"]) -> Float[Tensor, "B width"]:
        return entity * relation

    def cubes(self, vectors: Float[Tensor, "N width"]) -> Float[Tensor, "N"]:
        return (vectors.abs() * vectors.square()).sum(-1)
