"""Sources that are not trained, and pools of language models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.special import logsumexp

from lossworks.core.errors import UsageError
from lossworks.data import Ragged
from lossworks.models import LanguageModel, build_language, language
from lossworks.models.neural import NeuralModel
from lossworks.models.ngram import NgramModel, NgramSpec
from lossworks.models.pool import (
    CacheModel,
    CacheSpec,
    NearestModel,
    NearestSpec,
    PoolModel,
    PoolSpec,
    Rule,
    UniformSpec,
)
from lossworks.models.pool.static import interpolated
from lossworks.tokens import Vocabulary

VOCABULARY = Vocabulary(9)
DRAW = np.random.default_rng(1)


def texts(count: int = 12, seed: int = 1) -> Ragged:
    """Random texts of three to eight tokens that are words."""
    draw = np.random.default_rng(seed)
    sizes = draw.integers(3, 9, count)
    return Ragged(draw.integers(3, 9, sizes.sum()).astype(np.uint32), np.append(0, np.cumsum(sizes)))


def ngram(order: int, seed: int, ends: bool = True) -> tuple[NgramSpec, NgramModel]:
    """A model of random texts."""
    spec = NgramSpec(order=order, smoothing="witten_bell")
    return spec, spec.fit(texts(40, seed), VOCABULARY, ends=ends)


def pool(rule: Rule, ends: bool = True) -> PoolModel:
    """Of two n-gram models and a cache."""
    spec = CacheSpec(decay=0.9)
    return PoolModel([ngram(3, 2, ends), ngram(2, 3, ends), (spec, spec.made(VOCABULARY, ends))], rule)


LINEAR = Rule("linear", np.array([0.5, 0.3, 0.2]))
PRODUCT = Rule("log_linear", np.array([0.6, 0.5, 0.1]))
MODELS: dict[str, Callable[[], LanguageModel]] = {
    "cache": lambda: CacheModel(VOCABULARY, 0.9),
    "stream cache": lambda: CacheModel(VOCABULARY, 0.95, ends=False),
    "uniform": lambda: UniformSpec().made(VOCABULARY, True),
    "linear": lambda: pool(LINEAR),
    "product": lambda: pool(PRODUCT),
    "stream": lambda: pool(LINEAR, ends=False),
    "ngram": lambda: ngram(3, 2)[1],
}
"""Made where they are tested: every worker collects, and would compile what counts n-grams to do so."""


def test_cache_by_hand() -> None:
    """After a b a, with decay 1/2, a counts 1 + 1/4 and b 1/2."""
    model = CacheModel(VOCABULARY, 0.5, ends=False)
    found = model.distributions(Ragged(np.array([3, 4, 3, 3], np.uint32), np.array([0, 4])))
    assert np.isnan(found[0]).all()
    assert np.exp(found[3, [3, 4]]) == pytest.approx([1.25 / 1.75, 0.5 / 1.75])


@pytest.mark.parametrize("name", MODELS)
def test_the_same_every_way(name: str) -> None:
    """Single outcomes, whole distributions, any positions in any order, and token by token: the same numbers, that sum to one."""
    model, given = MODELS[name](), texts()
    whole, targets = model.distributions(given), model.targets(given)
    spoken = ~np.isnan(whole[:, 0])
    assert np.abs(np.exp(logsumexp(whole[spoken], 1)) - 1).max() < 1e-9
    assert model.logp(given) == pytest.approx(whole[np.arange(len(targets)), targets], nan_ok=True)
    order = DRAW.permutation(len(targets))
    assert model.at(given)(order) == pytest.approx(whole[order], nan_ok=True)
    place = 0
    for row in range(len(given)):
        state = model.start()
        for token in given.ids[given.offsets[row] : given.offsets[row + 1]].tolist():
            assert model.next(state) == pytest.approx(whole[place], nan_ok=True)
            state, place = model.advance(state, token), place + 1
        place += model.ends


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool looks at as many positions together as it has room for, with the same result."""
    model = MODELS["product"]()
    before = model.logp(texts())
    asked: list[int] = []
    combine = Rule.combine
    monkeypatch.setattr(Rule, "combine", lambda self, logp: (asked.append(logp.shape[1]), combine(self, logp))[1])
    monkeypatch.setattr(language, "AT_ONCE", 3 * 9 * 10)
    assert model.logp(texts()) == pytest.approx(before)
    assert max(asked) == 10


@pytest.mark.parametrize("name", ["linear", "product", "stream"])
def test_saved_and_loaded(name: str, tmp_path: Path) -> None:
    """What is read back says the same, to the bit."""
    model = MODELS[name]()
    model.save(tmp_path)
    again = PoolSpec().load(tmp_path, VOCABULARY, ends=model.ends)
    assert np.array_equal(again.logp(texts()), model.logp(texts()))


def test_a_mixture_as_one_ngram_model() -> None:
    """Each n-gram that a source has is as probable as in the mixture, and every context's probabilities sum to one."""
    mixed = PoolModel([ngram(3, 2), ngram(2, 3)], Rule("linear", np.array([0.6, 0.4])))
    one, trained = interpolated(mixed), texts(40, 2)
    assert np.abs(np.exp(logsumexp(one.distributions(texts()), 1)) - 1).max() < 1e-5
    assert one.logp(trained) == pytest.approx(mixed.logp(trained), abs=1e-5)


def test_what_is_no_mixture_of_ngrams() -> None:
    """A product, or a pool with another model in it, makes no ARPA file; a source without weight is no hindrance."""
    for rule, sources in ((PRODUCT, MODELS["product"]()), (LINEAR, MODELS["linear"]())):
        assert isinstance(sources, PoolModel)
        assert sources.rule is rule
        with pytest.raises(UsageError, match="n-gram models alone"):
            interpolated(sources)
    interpolated(pool(Rule("linear", np.array([0.5, 0.5, 0.0]))))


def memory(k: int = 3) -> tuple[NearestSpec, NearestModel]:
    """Of a small network over random texts."""
    spec, base = NearestSpec(k=k, temperature=0.5), build_language("transformer:layers=1,dim=8,heads=1,context=16")
    network = base.sequence_network(texts(), VOCABULARY, seed=1).model()
    assert isinstance(network, NeuralModel)
    return spec, spec.remember(base, network, texts(30, 4))


def test_the_nearest_by_hand() -> None:
    """Of one neighbour: what followed the very state, where it is remembered."""
    _, model = memory(k=1)
    given = texts(30, 4)
    depth = np.concatenate([np.arange(size + 1) for size in np.diff(given.offsets)])
    deep = depth > 2  # texts that begin alike are in one state
    assert np.exp(model.logp(given))[deep].mean() > 0.9


def test_neighbours_by_hand() -> None:
    """The k nearest by squared distance, each weighed by exp(-d² / (temperature · scale))."""
    spec, model = memory()
    hidden = model.network.hidden(texts(2)).double()
    states = model.states.double()
    for row, told in zip(hidden, model.distributions(texts(2)), strict=True):
        apart = (states - row).square().sum(1)
        near = apart.argsort()[: spec.k]
        if apart.sort().values[spec.k] - apart[near[-1]] < 1e-3:  # a tie
            continue
        share = (-apart[near] / (0.5 * model.scale)).softmax(0)
        wanted = np.zeros(9)
        np.add.at(wanted, model.values[near].numpy(), share.numpy())
        assert np.exp(told) == pytest.approx(wanted, abs=1e-3)


def test_memory_saved_and_loaded(tmp_path: Path) -> None:
    """What is read back says the same, to the bit, token by token too."""
    spec, model = memory()
    model.save(tmp_path)
    again = spec.load(tmp_path, VOCABULARY)
    assert np.array_equal(again.logp(texts()), model.logp(texts()))
    state = again.advance(again.start(), 4)
    one = Ragged(np.array([4], np.uint32), np.array([0, 1]))
    assert again.next(state) == pytest.approx(model.distributions(one)[1], abs=1e-5)


@pytest.mark.parametrize("spec", ["cache", "uniform", "pool", "nearest"])
def test_not_fitted(spec: str) -> None:
    """What has nothing to learn from text says what to do instead."""
    with pytest.raises(UsageError, match="lossworks fuse"):
        build_language(spec).fit(texts(), VOCABULARY)


@pytest.mark.parametrize("decay", [0, 1, -0.5])
def test_decay_outside_its_domain(decay: float) -> None:
    """A cache forgets, but not at once."""
    with pytest.raises(UsageError, match=f"decay is {decay}; wanted more than 0 and less than 1"):
        CacheSpec(decay=decay)
