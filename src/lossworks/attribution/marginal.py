"""The tokens of a part not looked at, though their places stay: exact under a hidden Markov chain, for all parts at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..models.hmm import HmmModel
from ..models.hmm.unseen import unseen
from .explanation import Division
from .language_texts import BIT, IMPOSSIBLE, LanguageTexts, overlapping

if TYPE_CHECKING:
    from jaxtyping import Float, Int

_MOST = 1 << 26
"""Tokens of a text times states: numbers that are kept."""


def marginal(texts: LanguageTexts) -> list[Division]:
    """The share of a part is what its tokens add to the surprisal: -log2 p(text) + log2 p(text with any tokens in their places).

    Raises:
        UsageError: a text has too many tokens.
    """
    return [_divide(texts, number) for number in range(len(texts))]


def _divide(texts: LanguageTexts, number: int) -> Division:
    text, asked, model = texts.texts[number], texts.asked[number], texts.language.model
    assert isinstance(model, HmmModel)
    tokens = texts.language.encode([text]).ids.astype(np.int64).tolist()
    if len(tokens) > (most := _MOST // model.chain.states):
        raise UsageError(f"text number {number + 1} has {len(tokens):,} tokens, of up to {most:,}. Give a passage of it.")
    free = np.flatnonzero(~texts.fixed(number))
    groups = overlapping(texts.language.tokenizer.spans(text), texts.places(number)[free])
    if asked is None:
        whole = tokens + [model.vocabulary.end] * model.ends
        value, values = _surprisals(model, whole, np.concatenate([[[0, len(tokens)]], groups]))
    else:  # p(part | before) = p(both) / p(before)
        first, last = texts.counted(number)
        groups = np.minimum(groups, first)
        some = np.concatenate([[[0, first]], groups])
        both, each_both = _surprisals(model, tokens[:last], some)
        before, each_before = _surprisals(model, tokens[:first], some)
        value, values = both - before, each_both - each_before
    shares = np.zeros(len(texts.spans[number]))
    shares[free] = np.where(groups[:, 0] < groups[:, 1], value - values[1:], 0.0)
    return Division(value, float(values[0]), shares)


def _surprisals(
    model: HmmModel, tokens: Sequence[int], groups: Int[NDArray[np.int64], "G 2"]
) -> tuple[float, Float[NDArray[np.float64], "G"]]:
    """Of a text, and of it with each group of tokens not looked at, in bits."""
    found = unseen(model, tokens, groups)
    impossible = np.concatenate([[0], np.cumsum(found.impossible)])
    left = impossible[-1] - (impossible[groups[:, 1]] - impossible[groups[:, 0]])
    whole = -found.whole / BIT
    without = np.nan_to_num(-found.without / BIT, posinf=whole + IMPOSSIBLE)
    return whole + IMPOSSIBLE * float(impossible[-1]), without + IMPOSSIBLE * left
