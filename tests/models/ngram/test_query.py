"""What compiled code says of texts is what the formula says."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossworks.core.errors import UsageError
from lossworks.data import Ragged
from lossworks.models.ngram import positions
from lossworks.models.ngram.model import NgramModel
from models.ngram.tries import END, START, Counted, Gram, Valued, ragged, vocabulary

SIZE = 6
TEXTS = st.lists(st.lists(st.sampled_from([0, 3, 4, 5]), max_size=7), max_size=5)
CASES = settings(max_examples=30, deadline=None)


def by_recursion(p: Callable[[Gram, int], float], texts: list[list[int]], ends: bool) -> list[float]:
    """p at every position."""
    marked = [[START, *text, *([END] if ends else [])] for text in texts]
    return [p(tuple(text[:i]), text[i]) for text in marked for i in range(1, len(text))]


@CASES
@given(TEXTS, TEXTS, st.integers(1, 4), st.booleans(), st.booleans())
def test_counted(train: list[list[int]], asked: list[list[int]], order: int, ends: bool, flat: bool) -> None:
    """logp, distributions and explanation agree with the recursion, for texts seen and unseen; probabilities sum to 1."""
    counted = Counted(train, SIZE, order, ends, flat)
    model = NgramModel(counted.trie(), vocabulary(SIZE), ends=ends)
    texts = asked + train
    wanted = by_recursion(counted.p, texts, ends)
    logp, everything = model.logp(ragged(texts)), model.distributions(ragged(texts))
    np.testing.assert_allclose(np.exp(logp), wanted, rtol=1e-12)
    np.testing.assert_allclose(everything[np.arange(len(logp)), model.targets(ragged(texts))], logp, rtol=1e-12)
    np.testing.assert_allclose(np.exp(everything).sum(1), 1.0, rtol=1e-12)
    explained = [position for text in texts for position in model.explain(text)]
    np.testing.assert_allclose([e["probability"] for e in explained], wanted, rtol=1e-12)
    for position in explained:
        for order_ in position["orders"][1:]:
            assert order_["count"] == counted.counts.get((*order_["context"], position["token"]), 0)


@CASES
@given(TEXTS, TEXTS, st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_valued(train: list[list[int]], asked: list[list[int]], order: int, seed: int) -> None:
    """A model by probabilities and backoffs agrees with the recursion from the longest context down."""
    rng = np.random.default_rng(seed)
    grams = {(w,): 0 for w in range(SIZE)} | {g: 0 for g in Counted(train, SIZE, order).counts if len(g) > 1}
    valued = Valued(
        {gram: float(np.float32(rng.uniform(-4, -0.1))) for gram in grams},
        {gram: rng.uniform(-2, 0.2) for gram in grams},
        SIZE,
        order,
    )
    valued.prob[(START,)] = -99.0
    model = NgramModel(valued.trie(), vocabulary(SIZE))
    wanted = np.array(by_recursion(valued.log10, asked + train, True))
    texts = ragged(asked + train)
    np.testing.assert_allclose(model.logp(texts) / math.log(10), wanted, rtol=1e-9, atol=1e-9)
    everything = model.distributions(texts)
    np.testing.assert_allclose(everything[np.arange(len(wanted)), model.targets(texts)], model.logp(texts), rtol=1e-9, atol=1e-9)
    explained = [position["log10"] for text in asked + train for position in model.explain(text)]
    np.testing.assert_allclose(explained, wanted, rtol=1e-9, atol=1e-9)


@pytest.fixture
def counted() -> Counted:
    """A model of order 3."""
    rng = np.random.default_rng(0)
    return Counted([rng.integers(3, SIZE, rng.integers(0, 12)).tolist() for _ in range(20)], SIZE, 3)


def many(seed: int, count: int) -> Ragged:
    """Texts at random, some empty."""
    rng = np.random.default_rng(seed)
    return ragged([rng.choice([0, 3, 4, 5], rng.integers(0, 9)).tolist() for _ in range(count)])


@pytest.mark.parametrize("ends", [True, False])
def test_stretches(counted: Counted, ends: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the sequence is cut into stretches, every position keeps its context."""
    model, texts = NgramModel(counted.trie(), vocabulary(SIZE), ends=ends), many(1, 50)
    whole, distributions = model.logp(texts), model.distributions(texts)
    for length in (1, 2, 5, 64):
        monkeypatch.setattr(positions, "STRETCH", length)
        np.testing.assert_array_equal(model.logp(texts), whole)
        np.testing.assert_array_equal(model.distributions(texts), distributions)


def test_threads(counted: Counted, threads: Callable[[int], None]) -> None:
    """The number of threads changes no bit."""
    model, texts, found = NgramModel(counted.trie(), vocabulary(SIZE)), many(2, 300), []
    for count in (1, 2, 3):
        threads(count)
        found.append((model.logp(texts), model.distributions(texts)))
    for logp, distributions in found[1:]:
        np.testing.assert_array_equal(logp, found[0][0])
        np.testing.assert_array_equal(distributions, found[0][1])


def test_causal(counted: Counted) -> None:
    """What stands later changes nothing before it, and a text nothing in the next one."""
    model, text = NgramModel(counted.trie(), vocabulary(SIZE)), [3, 4, 5, 3, 3]
    before = model.logp(ragged([text, text]))
    for i in range(len(text)):
        changed = model.logp(ragged([[*text[:i], 0, *text[i + 1 :]], text]))
        np.testing.assert_array_equal(changed[:i], before[:i])
        np.testing.assert_array_equal(changed[len(text) + 1 :], before[len(text) + 1 :])


def test_contexts_end_at_a_start() -> None:
    """Even a model that holds n-grams over a start, as a file may, reads none of them over the start of a text."""
    prob = {(w,): -1.0 for w in range(SIZE)} | {(END, START): -0.5, (END, START, 3): -0.25, (START, 3): -0.75}
    model = NgramModel(Valued(prob, {}, SIZE, 3).trie(), vocabulary(SIZE))
    np.testing.assert_allclose(model.logp(ragged([[4], [3]])) / math.log(10), [-1, -1, -0.75, -1])


@pytest.mark.parametrize("order", [1, 2, 3])
def test_states(order: int) -> None:
    """Token by token from the start, the states say what whole texts do, and stay as they are."""
    model = NgramModel(Counted([[3, 4, 5, 3], [4, 4]], SIZE, order).trie(), vocabulary(SIZE))
    texts, rows, state = ragged([[3, 4, 4, 0, 5]]), [], model.start()
    for token in texts.ids:
        rows.append(model.next(state))
        later = model.advance(state, int(token))
        np.testing.assert_array_equal(model.next(state), rows[-1])
        state = later
    np.testing.assert_allclose(np.array(rows), model.distributions(texts)[:-1], rtol=1e-13)


def test_next_words(counted: Counted) -> None:
    """The most probable first, with their probabilities."""
    model = NgramModel(counted.trie(), vocabulary(SIZE))
    table = model.next_words((START, 3), top=3)
    p = sorted((counted.p((START, 3), w) for w in range(SIZE)), reverse=True)
    np.testing.assert_allclose([probability for _, probability in table], p[:3], rtol=1e-12)
    np.testing.assert_allclose([counted.p((START, 3), token) for token, _ in table], p[:3], rtol=1e-12)
    assert len(model.next_words((), top=100)) == SIZE


def test_counts(counted: Counted) -> None:
    """Counts of n-grams seen and unseen; those that cannot be are refused."""
    model = NgramModel(counted.trie(), vocabulary(SIZE))
    for gram in [(3,), (3, 4), (START, 3), (5, 5, 5), (0, 3), (4, END)]:
        assert model.count(gram) == counted.counts.get(gram, 0)
    for wrong in [(), (3, 3, 3, 3)]:
        with pytest.raises(UsageError, match="n-gram of"):
            model.count(wrong)


def test_perplexity(counted: Counted) -> None:
    """With and without the positions of unknown words."""
    model, texts = NgramModel(counted.trie(), vocabulary(SIZE)), ragged([[3, 0, 4], [0]])
    perplexity, logp = model.perplexity(texts), model.logp(texts)
    assert (perplexity.unknown, perplexity.positions) == (2, 6)
    assert perplexity.including == pytest.approx(math.exp(-logp.mean()))
    assert perplexity.excluding == pytest.approx(math.exp(-logp[[0, 2, 3, 5]].mean()))
    assert math.isnan(model.perplexity(ragged([])).including)


def test_the_start_is_never_predicted(counted: Counted) -> None:
    """Its probability is 0, and nothing else's is."""
    model = NgramModel(counted.trie(), vocabulary(SIZE))
    p = np.exp(model.next(model.start()))
    assert p[START] == 0
    assert (np.delete(p, START) > 0).all()
    assert model.logp(ragged([[START]]))[0] == -np.inf
    assert model.explain([START])[0]["probability"] == 0


@pytest.mark.parametrize("token", [SIZE, 2**31, -1])
def test_tokens_beyond_the_vocabulary(counted: Counted, token: int) -> None:
    """A token that the vocabulary has not is refused before compiled code sees it."""
    model = NgramModel(counted.trie(), vocabulary(SIZE))
    asks: list[Callable[[], object]] = [
        lambda: model.explain([3, token]),
        lambda: model.next((token,)),
        lambda: model.count((token,)),
    ]
    if token > 0:
        asks.append(lambda: model.logp(ragged([[3, token]])))
    for ask in asks:
        with pytest.raises(UsageError, match=f"got the token {token}; wanted 0 to 5"):
            ask()
