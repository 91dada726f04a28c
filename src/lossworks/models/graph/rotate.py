"""RotatE: a relation turns each complex coordinate of an entity by an angle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..base import models
from ..graph_network import GraphNetwork
from ..graph_spec import GraphSpec
from .complex_products import times

if TYPE_CHECKING:
    from jaxtyping import Float


@models.add("rotate", source="Sun et al. 2019, arXiv:1902.10197, eq. 2 and 3, the squared Euclidean distance")
@dataclass(frozen=True, kw_only=True)
class RotatESpec(GraphSpec):
    """-‖h ∘ r - t‖² with |r| = 1 in every coordinate. For a knowledge graph (``--task graph``).

    Domain: dim >= 1, scale > 0, negatives >= 0.
    """

    @property
    def width(self) -> int:
        return 2 * self.dim

    @property
    def relation_width(self) -> int:
        return self.dim

    def network(self, entities: int, relations: int, seed: int) -> GraphNetwork:
        return RotatE(self, entities, relations, seed)


class RotatE(GraphNetwork):
    """The squared distance is a product and a bias, as for ``TransE``. Relations are angles, at first drawn from the circle."""

    def __init__(self, spec: RotatESpec, entities: int, relations: int, seed: int) -> None:
        super().__init__(spec, entities, relations, seed)
        with torch.no_grad():
            self.relations.weight *= torch.pi / spec.scale

    def compose(self, entity: Float[Tensor, "B width"], relation: Float[Tensor, "B r"]) -> Float[Tensor, "B width"]:
        return 2 * times(entity, torch.cat([relation.cos(), relation.sin()], -1))

    def bias(self, entity: Float[Tensor, "E width"]) -> Float[Tensor, "E"]:
        return -entity.square().sum(-1)
