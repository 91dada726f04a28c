"""Texts as one sequence of tokens with the start token before each, and of an end after each where ends are predicted.

``depth`` says how many tokens of its own text stand before each token, so a context never reaches over a text's start. A text's
tokens stand one after another, so the positions of texts are the tokens of depth 1 and more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import UsageError
from ...core.kernels import kernel
from ...data import Ragged
from ...tokens import Vocabulary

STRETCH = 1 << 18  # tokens at a time: enough to divide among threads, few enough to stay in the cache

Sequence = tuple[NDArray[np.uint32], NDArray[np.uint8], int]


def stretches(texts: Ragged, vocabulary: Vocabulary, ends: bool, reach: int) -> Iterator[Sequence]:
    """The sequence in stretches: tokens, depths (up to ``reach``), and how many at its beginning were in the one before.

    Raises:
        UsageError: a token that is not in the vocabulary.
    """
    size = length(texts, ends)
    for begin in range(0, size, STRETCH):
        before = min(begin, reach)
        tokens = np.empty(min(begin + STRETCH, size) - begin + before, np.uint32)
        depth = np.empty(len(tokens), np.uint8)
        lay_out(texts, vocabulary, ends, begin - before, tokens, depth, reach)
        check_tokens(tokens, vocabulary)
        yield tokens, depth, before


def length(texts: Ragged, ends: bool) -> int:
    """How many tokens the sequence has."""
    return int(texts.offsets[-1]) + len(texts) * (1 + ends)


def lay_out(
    texts: Ragged, vocabulary: Vocabulary, ends: bool, begin: int, tokens: NDArray[Any], depth: NDArray[np.uint8], reach: int
) -> None:
    """Write the sequence from place ``begin`` on into ``tokens``, and how deep each stands, up to ``reach``, into ``depth``."""
    _lay_out(begin, np.asarray(texts.ids), texts.offsets, vocabulary.start, vocabulary.end, ends, reach, tokens, depth)


def check_tokens(tokens: NDArray[Any], vocabulary: Vocabulary) -> None:
    """Raise UsageError where a token is not in the vocabulary: compiled code looks up what it is told to."""
    if len(tokens) and not (tokens.min() >= 0 and tokens.max() < vocabulary.size):
        wrong = tokens[(tokens < 0) | (tokens >= vocabulary.size)][0]
        raise UsageError(
            f"got the token {wrong}; wanted 0 to {vocabulary.size - 1}. Were the texts encoded with the model's tokenizer?"
        )


def depths(tokens: int, reach: int) -> NDArray[np.uint8]:
    """The depths of one sequence that begins with its text."""
    return np.minimum(np.arange(tokens), reach).astype(np.uint8)


@kernel
def _lay_out(begin, ids, offsets, start, end, ends, reach, tokens, depth):  # type: ignore[no-untyped-def]
    """The tokens from place ``begin`` of the sequence on; text t begins at ``offsets[t] + t · (1 + ends)``."""
    low, high = 0, len(offsets) - 1
    while high - low > 1:  # the last text that begins at ``begin`` or before
        middle = (low + high) // 2
        if offsets[middle] + middle * (1 + ends) <= begin:
            low = middle
        else:
            high = middle
    text = low
    at = begin - (offsets[text] + text * (1 + ends))
    for place in range(len(tokens)):
        while at == offsets[text + 1] - offsets[text] + 1 + ends:
            text += 1
            at = 0
        if at == 0:
            tokens[place] = start
        elif at <= offsets[text + 1] - offsets[text]:
            tokens[place] = ids[offsets[text] + at - 1]
        else:
            tokens[place] = end
        depth[place] = min(at, reach)
        at += 1
