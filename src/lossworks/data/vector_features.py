"""Texts as the mean of their words' pretrained vectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .. import tokens
from ..core.errors import RecordError
from ..core.seeds import generator
from ..tokens import Tokenizer
from ..tokens.lexicon import Lexicon
from .batch import Batch
from .features import Features
from .row_gradient import row_sums
from .state_features import StateFeatures
from .vector_file import read_table, read_words, tokens_of

_TOKENIZER = "tokenizer.json"


class VectorFeatures(StateFeatures):
    """The mean vector of a text's known words. Unknown words are silent; a text of none that is known has the state of zeros.

    path: the file; most: words of it, at most; idf: weigh words by log((1 + N) / (1 + n)) + 1, of N training texts of which n
    have the word; cut: deal the vectors out among the words anew.
    """

    def __init__(self, path: str, most: int, idf: bool = False, cut: bool = False) -> None:
        self.path, self.most, self.idf, self.cut = path, most, idf, cut
        self.lexicon: Lexicon | Tokenizer = Lexicon([])
        self.vectors, self.weights = np.empty((0, 0), np.float32), np.empty(0, np.float32)

    def __len__(self) -> int:
        return int(self.vectors.shape[1])

    def prepare(self, training: Iterable[Sequence[str]]) -> None:
        if not len(self.vectors):
            self._open()
            if self.cut:
                self.vectors = self.vectors[generator(0, "cut").permutation(len(self.vectors))]
        texts, counts = 0, np.zeros(len(self.vectors), np.int64)
        for block in training if self.idf else ():
            texts += len(block)
            ids, offsets = self.lexicon.encode(block)
            pairs = np.repeat(np.arange(len(block)), np.diff(offsets)) * len(counts) + ids
            counts += np.bincount(np.unique(pairs) % len(counts), minlength=len(counts))
        self.weights = (np.log((1 + texts) / (1 + counts)) + 1).astype(np.float32)

    def follow(self, before: Features) -> None:
        assert isinstance(before, VectorFeatures)
        self.lexicon, self.vectors, self.notes = before.lexicon, before.vectors, before.notes

    def states(self, texts: Sequence[str]) -> NDArray[np.float32]:
        ids, offsets = self.lexicon.encode(texts)
        nothing, weight = torch.empty(0), self.weights[ids]
        sums = row_sums(Batch(ids.astype(np.uint32), offsets.astype(np.int64), weight, nothing, nothing), self.vectors)
        total = np.diff(np.r_[0, np.cumsum(weight, dtype=np.float64)][offsets])
        return (sums / np.where(total > 0, total, 1)[:, None]).astype(np.float32)

    def save(self, folder: Path) -> dict[str, NDArray[Any]]:
        found = {**StateFeatures.save(self, folder), "vectors": self.vectors, "weights": self.weights}
        if isinstance(self.lexicon, Lexicon):
            return {**found, "words": np.array(bytearray("\n".join(self.lexicon.words).encode()), np.uint8)}
        self.lexicon.save(folder / _TOKENIZER)
        return found

    def load(self, folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.vectors, self.weights = arrays["vectors"], arrays["weights"]
        words = arrays.get("words")
        self.lexicon = tokens.load(folder / _TOKENIZER) if words is None else Lexicon(words.tobytes().decode().split("\n"))
        rows = len(self.lexicon.words) if isinstance(self.lexicon, Lexicon) else tokens_of(self.lexicon)
        if len(self.vectors) < rows or self.vectors.ndim != 2 or self.weights.shape != (len(self.vectors),):
            raise RecordError("the words, their vectors and their weights are not of one length")  # compiled code trusts them
        StateFeatures.load(self, folder, arrays)

    def _open(self) -> None:
        path = Path(self.path)
        if path.suffix == ".safetensors":
            self.lexicon, self.vectors = read_table(path)
            return
        words, self.vectors, more = read_words(path, self.most)
        self.lexicon = Lexicon(words)
        if more:
            self.notes = (f"{path} has more than the {self.most:,} words that are read of it; a larger 'most' reads on",)
