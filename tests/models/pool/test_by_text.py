"""A mixture of whole texts, token by token."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp

from lossworks.data import Ragged
from lossworks.models.ngram import NgramSpec
from lossworks.models.pool import BY_TEXT, Rule, TextPoolModel, by_text
from lossworks.models.pool.uniform import UniformSpec
from lossworks.tokens import Vocabulary

VOCABULARY = Vocabulary(8)
DRAW = np.random.default_rng(0)
WEIGHTS = np.array([0.6, 0.3, 0.1])


def texts(sizes: list[int], low: int, high: int) -> Ragged:
    """Texts of tokens drawn from low to high - 1."""
    return Ragged(DRAW.integers(low, high, sum(sizes)).astype(np.uint32), np.cumsum([0, *sizes]))


TRIED = texts([5, 1, 0, 9, 3], 3, 8)


@pytest.fixture(scope="module")
def sources() -> list[tuple[Any, Any]]:
    """Two n-gram models of unlike texts, and a uniform one."""
    made = [(spec := NgramSpec(order=3), spec.fit(texts([20] * 5, *of), VOCABULARY)) for of in ((3, 6), (5, 8))]
    return [*made, (UniformSpec(), UniformSpec().made(VOCABULARY, True))]


@pytest.mark.parametrize("room", [1 << 24, 1, 30])
def test_a_text_is_the_weighted_sum(sources: list[tuple[Any, Any]], room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """log p of each text is log Σ w p_s(text), however few texts are read together."""
    monkeypatch.setattr(by_text, "AT_ONCE", room)
    pool = TextPoolModel(sources, Rule(BY_TEXT, WEIGHTS))
    starts = pool.bounds(TRIED)[:-1]
    each = np.stack([np.add.reduceat(model.logp(TRIED), starts) for _, model in sources])
    assert np.add.reduceat(pool.logp(TRIED), starts) == pytest.approx(logsumexp(each, 0, b=WEIGHTS[:, None]))
    assert len(pool.logp(texts([], 3, 8))) == 0


def test_next_tokens(sources: list[tuple[Any, Any]]) -> None:
    """Positions asked in any order, and a text read on token by token, get the same distribution, which sums to one."""
    pool = TextPoolModel(sources, Rule(BY_TEXT, WEIGHTS))
    every = pool.distributions(TRIED)
    assert logsumexp(every, 1) == pytest.approx(0, abs=1e-12)
    assert every[np.arange(len(every)), pool.targets(TRIED)] == pytest.approx(pool.logp(TRIED))
    order = DRAW.permutation(len(every))
    assert pool.at(TRIED)(order) == pytest.approx(every[order])
    read = TRIED.ids[TRIED.offsets[3] : TRIED.offsets[4]]
    states = [pool.read(read[:size]) for size in range(len(read) + 1)]
    first = pool.bounds(TRIED)[3]
    assert np.stack([pool.next(state) for state in states]) == pytest.approx(every[first : first + len(states)])


def test_the_impossible(sources: list[tuple[Any, Any]]) -> None:
    """A source that holds a text impossible has no more say in it; where all do, weights are as at the start."""
    pool = TextPoolModel(sources[:2], Rule(BY_TEXT, np.array([0.25, 0.75])))
    with np.errstate(divide="ignore"):
        said = np.log([[0.5, 0.5, 0.5, 0.0, 0.5], [0.5, 0.0, 0.5, 0.5, 0.5]])
    found = np.exp(pool._weights(said, np.array([0, 2, 5])))
    assert found == pytest.approx(np.array([[0.25, 0.25, 0.25, 0.25, 0], [0.75, 0.75, 0.75, 0.75, 1]]))
    assert np.exp(pool._normal(np.full(2, -np.inf))) == pytest.approx([0.25, 0.75])
