"""The network of ``linear``, to be trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..data import Batch, SparseEmbedding
from .networks import TextModel

if TYPE_CHECKING:
    from jaxtyping import Float


class Linear(TextModel):
    """outputs = bias + Σ value · table[id], all weights zero at first (the loss is convex in them for most losses)."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.table = SparseEmbedding(torch.zeros(features, outputs), is_head=True)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, batch: Batch) -> Float[Tensor, "N outputs"]:
        scores: Tensor = self.table(batch) + self.bias
        return scores
