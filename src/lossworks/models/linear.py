"""Word and character n-grams straight to scores: the fast default, and hard to beat on short texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from ..core import domains
from ..data import Batch, Features, HashedFeatures, SparseEmbedding
from .base import ModelSpec, TextModel, check_reading, models

if TYPE_CHECKING:
    from jaxtyping import Float


@models.add("linear", source="Joachims 1998, ECML; Wang & Manning 2012, ACL; Joulin et al. 2017, arXiv:1607.01759")
@dataclass(frozen=True, kw_only=True)
class LinearSpec(ModelSpec):
    """Hashed n-grams of words (and of characters within words), one weight each and output: sparse, fast, any script.

    Keys: words, the longest word n-gram; chars, the longest character n-gram (0: none); bits, of the hash;
    min_count, texts a feature must occur in; share, that words have of a text's squared length, characters having the rest;
    idf, the power of the logarithmic inverse document frequency (0: none). For a few hundred rows, above all of languages rich
    in forms, share=0.25,idf=1 (docs/LANGUAGES.md).
    """

    words: int = 2
    chars: int = 5
    bits: int = 22
    min_count: int = 1
    share: float = 0.9
    idf: float = 0.5
    optimizer: ClassVar[str] = "adagrad:lr=0.3,initial=1e-5"
    epochs: ClassVar[int] = 20
    patience: ClassVar[int] = 2

    def __post_init__(self) -> None:
        check_reading(self.words, self.chars, self.bits, self.min_count)
        domains.fraction(self, "share")
        domains.nonnegative(self, "idf")

    def features(self) -> Features:
        reading = self.words, self.chars, self.bits, self.min_count
        return HashedFeatures(*reading, max_features=1 << self.bits, norm="tfidf", share=self.share, idf=self.idf)

    def parameters(self, features: int, outputs: int) -> int:
        return (features + 1) * outputs

    def network(self, features: int, outputs: int, seed: int) -> TextModel:
        return Linear(features, outputs)


class Linear(TextModel):
    """outputs = bias + Σ value · table[id], all weights zero at first (the loss is convex in them for most losses)."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.table = SparseEmbedding(torch.zeros(features, outputs), is_head=True)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, batch: Batch) -> Float[Tensor, "N outputs"]:
        scores: Tensor = self.table(batch) + self.bias
        return scores
