"""Entities told by their descriptions: vectors made of words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..core.seeds import first_weights
from ..data import SparseEmbedding
from ..data.features import Selected

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class Glosses(nn.Module):
    """A vector for each word, and for each entity the weighted sum of those of its description; nothing where it has none.

    Nothing is described more like an entity than the entity itself, which would be the first answer to most queries about it and
    hardly ever is one: ``loops`` is what each relation adds to its score, learnt from 0 on.

    texts: the words of each entity, by number, and their weights; none of an entity without a description.
    words: how many different ones there are. relations: with inverses. scale: standard deviation of the first weights.
    """

    def __init__(self, texts: Selected, words: int, relations: int, width: int, scale: float, seed: int) -> None:
        super().__init__()
        self.texts, self.num_embeddings = texts, len(texts)
        with first_weights(seed):
            self.words = SparseEmbedding(nn.init.normal_(torch.empty(words, width), std=scale))
            self.loops = nn.Embedding(relations, 1)
        nn.init.zeros_(self.loops.weight)

    def forward(self, entities: Int[Tensor, "B"] | None = None) -> Float[Tensor, "B width"]:
        """Of some entities, or of all."""
        return self.of(self.texts, np.arange(len(self.texts)) if entities is None else entities.cpu().numpy())

    def of(self, texts: Selected, rows: NDArray[np.int64]) -> Float[Tensor, "B width"]:
        """The same of any texts."""
        nothing = torch.empty(0)
        found: Tensor = self.words(texts.batch(rows, nothing, nothing))
        return found
