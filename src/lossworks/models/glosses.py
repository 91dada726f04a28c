"""Descriptions of entities beside a graph: what the words of one add to its entity's vector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ..core.seeds import first_weights
from ..data import SparseEmbedding
from ..data.features import Selected

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class Glosses(nn.Module):
    """A vector for each word, and for each entity the weighted sum of those of its description; nothing where it has none.

    texts: the words of each entity, by number, and their weights; none of an entity without a description.
    words: how many different ones there are. scale: standard deviation of the first weights.
    """

    def __init__(self, texts: Selected, words: int, width: int, scale: float, seed: int) -> None:
        super().__init__()
        self.texts = texts
        with first_weights(seed):
            self.words = SparseEmbedding(nn.init.normal_(torch.empty(words, width), std=scale))

    def forward(self, entities: Int[Tensor, "B"] | None = None) -> Float[Tensor, "B width"]:
        """Of some entities, or of all."""
        return self.of(self.texts, np.arange(len(self.texts)) if entities is None else entities.cpu().numpy())

    def of(self, texts: Selected, rows: np.ndarray) -> Float[Tensor, "B width"]:
        """The same of any texts."""
        nothing = torch.empty(0)
        found: Tensor = self.words(texts.batch(rows, nothing, nothing))
        return found
