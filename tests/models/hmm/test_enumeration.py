"""Against sums over every way through the states."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch

from lossworks.models.hmm import HmmModel
from lossworks.models.hmm.expectation import expectations
from models.hmm.cases import KINDS, VOCABULARY, chain, packed, paths, posterior, ragged

TEXTS = [[3, 4, 5, 3], [8], [6, 7], [5, 5, 5, 3, 8]]


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities(kind: str) -> None:
    """A text's probability is the sum over all paths, its end a token like any other."""
    of = chain(kind)
    found = HmmModel(of, VOCABULARY).logp(ragged(*TEXTS))
    bounds = np.cumsum([0, *(len(text) + 1 for text in TEXTS)])
    for text, begin, end in zip(TEXTS, bounds, bounds[1:], strict=False):
        assert found[begin:end].sum() == pytest.approx(math.log(sum(paths(of, [*text, 2]).values())), rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_texts_share_one_probability(kind: str) -> None:
    """All texts of one length together have probability 1."""
    of = chain(kind)
    texts = [list(text) for text in product(range(9), repeat=3) if 1 not in text]
    found = HmmModel(of, VOCABULARY, ends=False).logp(ragged(*texts)).reshape(-1, 3)
    assert np.exp(found.sum(1)).sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_posteriors_and_viterbi(kind: str) -> None:
    """The state at each position given the whole text, and the most probable way through it."""
    of = chain(kind)
    model = HmmModel(of, VOCABULARY, ends=False)
    gamma, path, begin = model.posteriors(ragged(*TEXTS)), model.viterbi(ragged(*TEXTS)), 0
    for text in TEXTS:
        rows = slice(begin, begin + len(text))
        np.testing.assert_allclose(gamma[rows], posterior(of, text), atol=1e-13)
        every = paths(of, text)
        assert tuple(path[rows].tolist()) == max(every, key=every.__getitem__)
        begin += len(text)


@pytest.mark.parametrize("kind", KINDS)
def test_expected_counts(kind: str) -> None:
    """Transitions, emissions and first states, each path weighing what it has of the text's probability."""
    of = chain(kind)
    start, table, emission = np.zeros(4), np.zeros((4, 4)), np.zeros((9, 4))
    for text in TEXTS:
        every = paths(of, text)
        for path, p in every.items():
            share = p / sum(every.values())
            start[path[0]] += share
            np.add.at(emission, (text, list(path)), share)
            np.add.at(table, (list(path[:-1]), list(path[1:])), share)
    counts = expectations(of, packed(ragged(*TEXTS)), 10**6)
    np.testing.assert_allclose(counts.start, start, atol=1e-13)
    first = counts.factors[0].sum(1) if len(counts.factors) > 1 else counts.factors[0]
    np.testing.assert_allclose(first, table.sum(1) if len(counts.factors) > 1 else table, atol=1e-13)
    if len(counts.factors) > 1:  # what comes into the middle goes out of it
        np.testing.assert_allclose(counts.factors[0].sum(0), counts.factors[1].sum(1), atol=1e-13)
        np.testing.assert_allclose(counts.factors[1].sum(0), table.sum(0), atol=1e-13)
    inside = torch.from_numpy(emission).reshape(9, of.blocks, -1)[torch.arange(9), of.block]
    np.testing.assert_allclose(counts.emission, inside, atol=1e-13)
    assert counts.tokens == sum(map(len, TEXTS))
    assert counts.logp == pytest.approx(sum(math.log(sum(paths(of, text).values())) for text in TEXTS), rel=1e-12)
