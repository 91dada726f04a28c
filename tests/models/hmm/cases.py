"""Small chains and texts that the tests share."""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray

from lossworks.data import Ragged
from lossworks.models.hmm import Chain, random_chain
from lossworks.models.hmm.packing import Packed, pack
from lossworks.tokens import Vocabulary

V = 9
VOCABULARY = Vocabulary(V)
KINDS = ("dense", "low_rank", "blocked")


def chain(kind: str = "dense", states: int = 4, seed: int = 0, tokens: int = V) -> Chain:
    """A random chain of a kind that emits all tokens but the start of a text."""
    counts = np.arange(tokens) % 5
    counts[VOCABULARY.start] = -1
    blocks = 2 if kind == "blocked" else 1
    block = np.arange(tokens) % blocks
    return random_chain(counts, states, seed, rank=2 if kind == "low_rank" else None, blocks=blocks, block=block)


def tables(start: list[float], transitions: list[list[float]], emission: list[list[float]]) -> Chain:
    """A dense chain from its tables as books print them, emission [S, V]."""
    start_, table, emitted = (torch.tensor(each, dtype=torch.float64) for each in (start, transitions, emission))
    return Chain(start_, (table,), emitted.T.contiguous(), torch.zeros(emitted.shape[1], dtype=torch.int64))


def ragged(*texts: list[int]) -> Ragged:
    """Texts as rows."""
    ids = np.array([token for text in texts for token in text], np.uint32)
    return Ragged(ids, np.cumsum([0, *map(len, texts)]))


def random_texts(lengths: list[int], seed: int = 0, tokens: int = V) -> Ragged:
    """Texts of such lengths, of the tokens that are words."""
    ids = np.random.default_rng(seed).integers(3, tokens, sum(lengths)).astype(np.uint32)
    return Ragged(ids, np.cumsum([0, *lengths]))


def packed(texts: Ragged, end: int | None = None, width: int = 1000, rows: int = 10**6, tokens: int = V) -> list[Packed]:
    """Batches of them."""
    return list(pack(texts, tokens, end, width, rows))


def paths(chain: Chain, text: list[int]) -> dict[tuple[int, ...], float]:
    """The probability of the text together with every way through the states: nothing but products."""
    start, table, emission = chain.start.numpy(), chain.transitions.numpy(), chain.emissions().numpy()
    found = {}
    for path in product(range(chain.states), repeat=len(text)):
        p = start[path[0]] * emission[text[0], path[0]]
        for before, state, token in zip(path, path[1:], text[1:], strict=False):
            p *= table[before, state] * emission[token, state]
        found[path] = float(p)
    return found


def posterior(chain: Chain, text: list[int]) -> NDArray[np.float64]:
    """The probability of each state at each step, by summing over ``paths``."""
    found = np.zeros((len(text), chain.states))
    for path, p in paths(chain, text).items():
        found[np.arange(len(text)), list(path)] += p
    return found / found.sum(1, keepdims=True)
