"""TransE: a relation moves an entity to where its answer is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from ..base import models
from ..graph_network import GraphNetwork
from ..graph_spec import GraphSpec

if TYPE_CHECKING:
    from jaxtyping import Float


@models.add("transe", source="Bordes et al. 2013, NIPS 26, eq. 1 and 2, the squared Euclidean distance")
@dataclass(frozen=True, kw_only=True)
class TransESpec(GraphSpec):
    """-‖h + r - t‖². For a knowledge graph (``--task graph``).

    Domain: dim >= 1, scale > 0, negatives >= 0.
    """

    def network(self, entities: int, relations: int, seed: int) -> GraphNetwork:
        return TransE(self, entities, relations, seed)


class TransE(GraphNetwork):
    """-‖q - t‖² = 2 q·t - ‖t‖² - ‖q‖²: a product, a bias, and what is the same for all t, which no log-probability sees."""

    def compose(self, entity: Float[Tensor, "B width"], relation: Float[Tensor, "B r"]) -> Float[Tensor, "B width"]:
        return 2 * (entity + relation)

    def bias(self, entity: Float[Tensor, "E width"]) -> Float[Tensor, "E"]:
        return -entity.square().sum(-1)
