"""Tokens that are not looked at, against sums over all that might stand in their places."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.special import logsumexp

from lossworks.models.hmm import HmmModel
from lossworks.models.hmm.unseen import unseen
from models.hmm.cases import KINDS, VOCABULARY, V, chain, ragged, tables

TEXT = [3, 4, 5, 3, 8]
GROUPS = np.array([[0, 1], [1, 3], [2, 5], [0, 5], [3, 3], [4, 5], [0, 0], [5, 5]])


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_sums_over_the_vocabulary(kind: str, ends: bool) -> None:
    """Of neighbouring tokens at the beginning, in the middle, at the end, of none and of all; no end stands within a text."""
    model = HmmModel(chain(kind), VOCABULARY, ends=ends)
    found = unseen(model, TEXT + [VOCABULARY.end] * ends, GROUPS)
    words = [token for token in range(V) if not (ends and token == VOCABULARY.end)]
    for (first, last), logp in zip(GROUPS.tolist(), found.without.tolist(), strict=True):
        texts = [[*TEXT[:first], *between, *TEXT[last:]] for between in product(words, repeat=last - first)]
        assert logp == pytest.approx(logsumexp(model.logp(ragged(*texts)).reshape(len(texts), -1).sum(1)), abs=1e-10)
    assert found.whole == pytest.approx(model.logp(ragged(TEXT)).sum(), abs=1e-10)
    assert not found.impossible.any()


def test_single_precision_and_long_texts() -> None:
    """A chain in single precision is read in double; thousands of tokens neither under- nor overflow."""
    text = (TEXT * 800)[:-2]
    double, single = (unseen(HmmModel(of, VOCABULARY), [*text, 2], GROUPS) for of in (chain(), chain().to(dtype=_float32())))
    assert double.whole < -3000
    assert np.isfinite(double.without).all()
    np.testing.assert_allclose(single.without - single.whole, double.without - double.whole, atol=1e-4)
    assert (double.without >= double.whole - 1e-9).all()


def test_impossible_tokens() -> None:
    """A token of probability 0 is as if it had not been seen, and is told."""
    of = tables([0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], [[0, 0, 0, 0.7, 0.3, 0], [0, 0, 0, 0.1, 0.9, 0]])
    model = HmmModel(of, VOCABULARY, ends=False)
    found = unseen(model, [3, 5, 4], np.array([[0, 1], [1, 2], [2, 3]]))
    assert found.impossible.tolist() == [False, True, False]
    start, table, a, b = np.array([0.5, 0.5]), of.transitions.numpy(), np.array([0.7, 0.1]), np.array([0.3, 0.9])
    gap = start * a @ table @ table @ b
    assert np.exp(found.whole) == pytest.approx(gap)
    np.testing.assert_allclose(np.exp(found.without), [start @ table @ table @ b, gap, (start * a).sum()])


def test_block_out_of_reach() -> None:
    """A token of a block that no state leads to begins anew, in both directions alike."""
    of = chain("blocked")
    of.factors[0][:2, 2:] = 0
    of.factors[0][:2] /= of.factors[0][:2].sum(1, keepdim=True)
    of.start[2:] = 0
    of.start[:] /= of.start.sum()
    model = HmmModel(of, VOCABULARY, ends=False)
    found = unseen(model, [4, 6, 5, 4], np.array([[0, 1], [0, 0], [3, 4]]))  # 5 is of the second block
    assert found.impossible.tolist() == [False, False, True, False]
    assert found.whole == pytest.approx(model.logp(ragged([4, 6, 5, 4]))[[0, 1, 3]].sum(), abs=1e-10)
    assert found.without[1] == pytest.approx(found.whole, abs=1e-10)
    assert np.isfinite(found.without).all()


def _float32():  # type: ignore[no-untyped-def]
    import torch

    return torch.float32
