"""A small model whose words need spelling, and texts of them: what is written as ARPA here, KenLM was asked about."""

from __future__ import annotations

import numpy as np

from lossworks.data import Ragged
from lossworks.models.ngram.model import NgramModel
from lossworks.models.ngram.spelling import encode
from models.ngram.tries import Counted, ragged, vocabulary

WORDS = ["", "", "", " ", "\n", "<s>", "\u2420", "100%", "月", "\u3000", "", "\x7f"]
"""The marks, then a space, a line feed, a word spelled like a special token, a space's picture, …, and an empty word."""
_RNG = np.random.default_rng(7)
TRAIN = [_RNG.integers(3, len(WORDS), _RNG.integers(0, 9)).tolist() for _ in range(30)]
TEXTS = [_RNG.integers(3, len(WORDS), _RNG.integers(0, 9)).tolist() for _ in range(15)] + [[3, 0, 8], [0]]


def model(order: int = 3) -> NgramModel:
    """The model."""
    return NgramModel(Counted(TRAIN, len(WORDS), order).trie(), vocabulary(len(WORDS)))


def spelled_texts() -> str:
    """The texts as a program that knows no spelling reads them."""
    return "".join(" ".join(encode(WORDS[t]).decode() if t else "unheard" for t in text) + "\n" for text in TEXTS)


def asked() -> Ragged:
    """The texts as tokens."""
    return ragged(TEXTS)
