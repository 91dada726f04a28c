"""Word and character n-grams straight to scores: the fast default, and hard to beat on short texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

from ..core import domains
from ..data import Bags, Features, HashedFeatures
from ..data.row_gradient import row_sums
from .base import ArraySpec, Weights, check_reading, models

if TYPE_CHECKING:
    from .networks import TextModel


@models.add("linear", source="Joachims 1998, ECML; Wang & Manning 2012, ACL; Joulin et al. 2017, arXiv:1607.01759")
@dataclass(frozen=True, kw_only=True)
class LinearSpec(ArraySpec):
    """Hashed n-grams of words (and of characters within words), one weight each and output: sparse, fast, any script. With
    cross_entropy it is logistic regression, with hinge a linear SVM.

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
        from .linear_network import Linear

        return Linear(features, outputs)

    def shapes(self, features: int, outputs: int) -> dict[str, tuple[int, ...]]:
        return {"table.weight": (features, outputs), "bias": (outputs,)}

    def outputs(self, texts: Bags, weights: Weights) -> NDArray[Any]:
        return row_sums(texts, weights["table.weight"]) + weights["bias"]
