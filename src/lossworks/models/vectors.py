"""Pretrained word vectors as they are, and a linear layer over the mean of a text's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..core import domains
from ..core.errors import UsageError
from ..data import Features
from ..data.vector_features import VectorFeatures
from .base import models
from .state_head import StateSpec


@models.add("vectors", source="Pennington et al. 2014, EMNLP (GloVe); Arora et al. 2017, ICLR (weighted means of word vectors)")
@dataclass(frozen=True, kw_only=True)
class VectorsSpec(StateSpec):
    """The mean of a text's pretrained word vectors (word2vec, GloVe, fastText), and a linear layer on top. No package needed.

    Spelled vectors:FILE, or --vectors FILE. Words that FILE does not know are silent. A run is read without FILE. Keys: path, a
    file of lines "word number number …", packed or not, or of safetensors with tokenizer.json beside it; most, the words that are
    read of it, from the first on; idf, whether words weigh more that few training texts have; cut, whether the vectors are dealt
    out among the words anew, the control of what they know.
    """

    path: str = ""
    most: int = 500_000
    idf: bool = False
    cut: bool = False
    leading: ClassVar[str] = "path"

    def __post_init__(self) -> None:
        domains.count(self, "most")

    def features(self) -> Features:
        if not self.path:
            raise UsageError("the family alone names no file; wanted one of word vectors: vectors:FILE.")
        return VectorFeatures(self.path, self.most, self.idf, self.cut)
