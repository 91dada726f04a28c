"""InfoNCE: of all keys, each query is to find its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..core import domains
from ..core.errors import UsageError
from ..scores import Dense, dense
from .base import losses
from .embedding import EmbeddingLoss, check_rows

if TYPE_CHECKING:
    from jaxtyping import Float

SIMILARITIES = ("cosine", "dot")


@losses.add(
    "info_nce", source="van den Oord et al. 2018, arXiv:1807.03748, eq. 4; cosine: Chen et al. 2020, arXiv:2002.05709, eq. 1"
)
@dataclass(frozen=True, slots=True, kw_only=True)
class InfoNCE(EmbeddingLoss):
    """-log softmax_j(similarity(query_i, key_j) / temperature) at j = i: cross-entropy of finding one's own key among all.

    The keys of the other queries are the negatives, and further ones may be given. ``scores`` are what it is the cross-entropy
    of, for accuracy and every other metric over outcomes. The rows of a batch do not stand alone.
    Domain: temperature > 0; similarity is "cosine" or "dot".
    Limit: keys that are all alike lose log of their number. log(number of keys) - loss bounds the mutual information from below.
    """

    temperature: float = 0.07
    similarity: str = "cosine"

    def __post_init__(self) -> None:
        domains.positive(self, "temperature")
        if self.similarity not in SIMILARITIES:
            raise UsageError(f"similarity is {self.similarity!r}; wanted one of {', '.join(SIMILARITIES)}.")

    def contrasts(
        self, queries: Float[Tensor, "N d"], keys: Float[Tensor, "N d"], negatives: Float[Tensor, "M d"] | None = None, /
    ) -> Float[Tensor, "N"]:
        if not len(queries):  # no query, no value; scores need an outcome
            return (queries * keys).sum(-1)
        return -self.scores(queries, keys, negatives).logp

    def scores(
        self, queries: Float[Tensor, "N d"], keys: Float[Tensor, "N d"], negatives: Float[Tensor, "M d"] | None = None
    ) -> Dense:
        """Each query's scores over the N keys, its own being the target, and the M further ones.

        Raises:
            UsageError: queries and keys are not as many and as wide, or the negatives are not as wide.
        """
        check_rows("info_nce", queries, keys=keys)
        if negatives is not None and negatives.shape[1:] != keys.shape[1:]:
            raise UsageError(f"info_nce: got negatives {tuple(negatives.shape)} for keys {tuple(keys.shape)}. Give [M, d].")
        every = keys if negatives is None else torch.cat([keys, negatives])
        if self.similarity == "cosine":
            queries, every = normalize(queries, dim=-1), normalize(every, dim=-1)
        return dense(queries @ every.T / self.temperature, torch.arange(len(queries), device=queries.device))
