"""ComplEx: complex vectors, whose product is not symmetric, so that relations need not be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from ..base import models
from ..graph_network import FactorNetwork, GraphNetwork
from ..graph_spec import FactorSpec
from .complex_products import squared_moduli, times

if TYPE_CHECKING:
    from jaxtyping import Float

_TINY = 1e-30  # where a modulus is 0 its cube still has a gradient


@models.add("complex", source="Trouillon et al. 2016, arXiv:1606.06357, eq. 9; Lacroix et al. 2018, arXiv:1806.07297")
@dataclass(frozen=True, kw_only=True)
class ComplExSpec(FactorSpec):
    """Re Σ h r t*, of complex vectors h, r, t. For a knowledge graph (``--task graph``).

    Domain: dim >= 1, scale > 0, negatives >= 0, n3 >= 0.  Limit: with real vectors it is distmult.
    """

    @property
    def width(self) -> int:
        return 2 * self.dim

    def network(self, entities: int, relations: int, seed: int) -> GraphNetwork:
        return ComplEx(self, entities, relations, seed)


class ComplEx(FactorNetwork):
    """The state of a query is h ∘ r: the real part of its product with t* is the real inner product of both."""

    def compose(self, entity: Float[Tensor, "B width"], relation: Float[Tensor, "B r"]) -> Float[Tensor, "B width"]:
        return times(entity, relation)

    def cubes(self, vectors: Float[Tensor, "N width"]) -> Float[Tensor, "N"]:
        squares = squared_moduli(vectors).clamp_min(_TINY)
        return (squares * squares.sqrt()).sum(-1)
