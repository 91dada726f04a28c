"""Embedding, mean over the tokens, dense layer: the classic first network for text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from ..core import domains
from ..core.errors import UsageError
from ..core.seeds import first_weights
from ..data import Batch, Features, HashedFeatures, SparseEmbedding
from .base import ModelSpec, check_reading, models
from .networks import TextModel

if TYPE_CHECKING:
    from jaxtyping import Float


@models.add("bag", source="Iyyer et al. 2015, ACL (deep averaging networks); Keras's text classification tutorial")
@dataclass(frozen=True, kw_only=True)
class BagSpec(ModelSpec):
    """Each token an embedding of ``dim`` numbers, their mean, then a dense layer to the scores. Any script.

    Keys: dim; hidden, the width of a layer with ReLU between (0: none); dropout, on the mean; words, the longest n-gram
    that has an embedding of its own; vocabulary, how many of the most frequent are kept; bits, of the hash.
    """

    dim: int = 64
    hidden: int = 0
    dropout: float = 0.0
    words: int = 1
    vocabulary: int = 50_000
    min_count: int = 1
    bits: int = 24
    optimizer: ClassVar[str] = "adam:lr=0.003"
    epochs: ClassVar[int] = 50
    patience: ClassVar[int] = 3

    def __post_init__(self) -> None:
        check_reading(self.words, 0, self.bits, self.min_count)
        if self.dim < 1 or self.hidden < 0 or self.vocabulary < 1:
            raise UsageError(f"got dim={self.dim}, hidden={self.hidden}, vocabulary={self.vocabulary}; wanted 1, 0, 1 or more.")
        domains.share(self, "dropout")

    def features(self) -> Features:
        return HashedFeatures(self.words, 0, self.bits, self.min_count, max_features=self.vocabulary, norm="mean")

    def parameters(self, features: int, outputs: int) -> int:
        width = self.hidden or self.dim
        return features * self.dim + (self.dim + 1) * self.hidden + (width + 1) * outputs

    def network(self, features: int, outputs: int, seed: int) -> TextModel:
        with first_weights(seed):
            return Bag(features, self.dim, self.hidden, outputs, self.dropout)


class Bag(TextModel):
    """SparseEmbedding [features, dim] → mean → (dropout, dense, ReLU) → dense to the outputs.

    First weights as in Keras: embeddings uniform within ±0.05, dense layers Glorot uniform, biases zero.
    """

    def __init__(self, features: int, dim: int, hidden: int, outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.table = SparseEmbedding(torch.empty(features, dim).uniform_(-0.05, 0.05))
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(dim, hidden) if hidden else None
        self.head = nn.Linear(hidden or dim, outputs)
        for layer in (self.hidden, self.head):
            if layer is not None:
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, batch: Batch) -> Float[Tensor, "N outputs"]:
        mean = self.dropout(self.table(batch))
        scores: Tensor = self.head(mean if self.hidden is None else self.hidden(mean).relu())
        return scores
