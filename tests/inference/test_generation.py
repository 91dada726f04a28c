"""Drawing from a language model: what temperature, top-k and top-p leave, ends, determinism."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from lossworks.core.errors import UsageError
from lossworks.data import Ragged
from lossworks.inference import Beams, Sampling, beam_search, generate
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
        {"repetition_penalty": 0},
        {"repetition_penalty": float("nan")},
        {"no_repeat_ngram": 0},
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
    """Whatever a model gives to the start, the end and what stands for the unknown, drawn or searched text holds none of them;
    the end ends it where texts have one. A vocabulary without unknown tokens is drawn from whole.
    """
    drawn = generate(odd(False, tuple(range(6))), [], 500, Sampling(), np.random.default_rng(0))
    assert set(drawn) == {3, 4, 5}
    assert len(drawn) == 500
    ended = generate(odd(True, tuple(range(6))), [], 500, Sampling(), np.random.default_rng(0))
    assert len(ended) < 100
    assert not {0, 1, 2} & set(ended)
    model = odd(False, (0, 3))
    assert {*beam_search(model, [], 4, Beams(width=2))[0][0]} == {3}
    model.vocabulary = Vocabulary(6, unknown=None)
    assert set(generate(model, [], 50, Sampling(), np.random.default_rng(0))) == {0, 3}
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
    p[0] = 0.0  # what stands for the unknown
    wanted = p**0.5 / (p**0.5).sum()
    assert np.bincount(drawn, minlength=6) / 4000 == pytest.approx(wanted, abs=0.03)


def test_restrained() -> None:
    """By hand: positive logits are divided, negative ones multiplied; what would complete an n-gram again is impossible."""
    logits = np.array([2.0, -2.0, 1.0, -1.0])
    assert Sampling(repetition_penalty=2.0).restrained(logits, [0, 1, 0]).tolist() == [1.0, -4.0, 1.0, -1.0]
    assert Sampling(no_repeat_ngram=1).restrained(logits, [0, 1]).tolist() == [-np.inf, -np.inf, 1.0, -1.0]
    assert Sampling(no_repeat_ngram=2).restrained(logits, [0, 1, 3, 0]).tolist() == [2.0, -np.inf, 1.0, -1.0]
    assert Sampling(no_repeat_ngram=3).restrained(logits, [0, 1, 3, 0]).tolist() == logits.tolist()
    assert logits.tolist() == [2.0, -2.0, 1.0, -1.0]


def test_wide_beams() -> None:
    """A beam as wide as all texts finds the most probable of all, by the penalty of choice, and their log-probabilities."""
    model = fitted()
    for penalty in (0.0, 1.0, 3.0):
        texts = [list(text) for n in range(4) for text in product((3, 4, 5), repeat=n)]
        flat = Ragged(np.array([token for text in texts for token in text], np.uint16), np.cumsum([0, *map(len, texts)]))
        logp = np.split(model.logp(flat), model.bounds(flat)[1:-1])
        all_of = [(text, float(each.sum() / len(each) ** penalty)) for text, each in zip(texts, logp, strict=True)]
        cut = [(text, float(each[:-1].sum() / 3**penalty)) for text, each in zip(texts, logp, strict=True) if len(text) == 3]
        best = sorted([*(one for one in all_of if len(one[0]) < 3), *cut], key=lambda one: -one[1])[:5]
        found = beam_search(model, [], 3, Beams(width=100, length_penalty=penalty))[:5]
        assert [text for text, _ in found] == [text for text, _ in best]
        assert [score for _, score in found] == pytest.approx([score for _, score in best])
    with pytest.raises(UsageError, match="beam is 0"):
        Beams(width=0)
    for penalty in (float("nan"), 1000.0, -1000.0):  # a length to such a power is no float
        with pytest.raises(UsageError, match=f"length_penalty is {penalty}; wanted a number from -20 to 20"):
            Beams(width=1, length_penalty=penalty)
