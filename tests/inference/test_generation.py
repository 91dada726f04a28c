"""Drawing from a language model: what temperature, top-k and top-p leave, ends, determinism."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lossworks.core.errors import UsageError
from lossworks.data import Ragged
from lossworks.inference import Sampling, generate
from lossworks.models import LanguageModel, build_language
from lossworks.models.ngram import NgramModel
from lossworks.tokens import Vocabulary

LOGP = np.log(np.array([0.5, 0.3, 0.15, 0.05]))


def fitted(ends: bool = True) -> LanguageModel:
    """A bigram model of a few rows of numbers."""
    texts = Ragged(np.array([3, 4, 5, 3, 4, 3, 4, 5], np.uint16), np.array([0, 3, 5, 8]))
    return build_language("ngram:order=2,smoothing=additive,delta=0.01").fit(texts, Vocabulary(6), ends=ends)


@pytest.mark.parametrize(
    ("sampling", "wanted"),
    [
        (Sampling(), [0.5, 0.3, 0.15, 0.05]),
        (Sampling(temperature=0), [1, 0, 0, 0]),
        (Sampling(temperature=0.5), np.array([0.25, 0.09, 0.0225, 0.0025]) / 0.365),
        (Sampling(top_k=2), [0.625, 0.375, 0, 0]),
        (Sampling(top_k=9), [0.5, 0.3, 0.15, 0.05]),
        (Sampling(top_p=0.5), [1, 0, 0, 0]),
        (Sampling(top_p=0.51), [0.625, 0.375, 0, 0]),
        (Sampling(top_p=1.0), [0.5, 0.3, 0.15, 0.05]),
        (Sampling(top_k=3, top_p=0.6), [0.625, 0.375, 0, 0]),
        (Sampling(min_p=0.0), [0.5, 0.3, 0.15, 0.05]),
        (Sampling(min_p=0.5), [0.625, 0.375, 0, 0]),
        (Sampling(min_p=0.61), [1, 0, 0, 0]),
        (Sampling(min_p=1.0), [1, 0, 0, 0]),
        (Sampling(min_p=0.5, temperature=2.0), np.sqrt([0.5, 0.3, 0.15, 0]) / np.sqrt([0.5, 0.3, 0.15]).sum()),
        (Sampling(min_p=0.2, top_k=2), [0.625, 0.375, 0, 0]),
        (Sampling(temperature=1e-300), [1, 0, 0, 0]),
    ],
)
def test_probabilities(sampling: Sampling, wanted: list[float]) -> None:
    """By hand; what is left sums to 1."""
    assert sampling.probabilities(LOGP).tolist() == pytest.approx(list(wanted))


def test_impossible_tokens() -> None:
    """A token of probability 0 is never drawn, at any temperature."""
    with np.errstate(divide="ignore"):
        logp = np.log(np.array([0.0, 0.6, 0.4]))
    assert Sampling(temperature=100.0).probabilities(logp)[0] == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -1},
        {"temperature": float("inf")},
        {"top_k": 0},
        {"top_p": 0.0},
        {"top_p": 1.1},
        {"min_p": -0.1},
        {"min_p": 1.1},
    ],
)
def test_refused(wrong: dict[str, float]) -> None:
    """Values outside their domain."""
    with pytest.raises(UsageError, match="wanted"):
        Sampling(**wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="tokens"):
        generate(fitted(), [], 0, Sampling(), np.random.default_rng(0))


def test_the_most_probable_text() -> None:
    """At temperature 0 the texts' own order, up to their end; a prompt is gone on from."""
    model = fitted()
    assert generate(model, [], 9, Sampling(temperature=0), np.random.default_rng(0)) == [3, 4, 5]
    assert generate(model, [4], 9, Sampling(temperature=0), np.random.default_rng(0)) == [5]
    assert generate(model, [], 2, Sampling(temperature=0), np.random.default_rng(0)) == [3, 4]


def test_without_ends() -> None:
    """A model without ends goes on for as long as it is told."""
    assert len(generate(fitted(ends=False), [], 30, Sampling(), np.random.default_rng(1))) == 30


class Odd(NgramModel):
    """A model that gives the same to every token, or only to some."""

    only: tuple[int, ...] = tuple(range(6))

    def next(self, state: tuple[int, ...]) -> NDArray[np.float64]:
        logp = np.full(6, -np.inf)
        logp[list(self.only)] = -np.log(len(self.only))
        return logp


def odd(ends: bool, only: tuple[int, ...]) -> Odd:
    """Such a model."""
    found = fitted(ends)
    assert isinstance(found, NgramModel)
    made = Odd(found.trie, found.vocabulary, ends=ends)
    made.only = only
    return made


def test_special_tokens_are_not_drawn() -> None:
    """Whatever a model gives to the start and end tokens, text holds neither; the end ends it where texts have one."""
    drawn = generate(odd(False, tuple(range(6))), [], 500, Sampling(), np.random.default_rng(0))
    assert set(drawn) == {0, 3, 4, 5}
    assert len(drawn) == 500
    ended = generate(odd(True, tuple(range(6))), [], 500, Sampling(), np.random.default_rng(0))
    assert len(ended) < 100
    assert not {1, 2} & set(ended)
    assert generate(odd(False, (1, 2)), [], 9, Sampling(), np.random.default_rng(0)) == []


def test_start_is_end() -> None:
    """Where one token stands before and after texts, as in GPT-2, it ends them; without ends it is never drawn."""
    for ends in (True, False):
        model = odd(ends, tuple(range(6)))
        model.vocabulary = Vocabulary(6, start=1, end=1)
        drawn = generate(model, [], 500, Sampling(), np.random.default_rng(0))
        assert (len(drawn) < 100) == ends
        assert 1 not in drawn


def test_frequencies() -> None:
    """First tokens are drawn as often as the model says."""
    model, random = fitted(), np.random.default_rng(2)
    p = np.exp(model.next(model.start()))
    drawn = [(generate(model, [], 1, Sampling(temperature=2.0), random) or [2])[0] for _ in range(4000)]
    wanted = p**0.5 / (p**0.5).sum()
    assert np.bincount(drawn, minlength=6) / 4000 == pytest.approx(wanted, abs=0.03)
