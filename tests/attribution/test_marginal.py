"""Marginalisation under a hidden Markov model, in words of several tokens, against sums over all that might stand there."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.special import logsumexp

from api.language import fitted
from lossworks.api import Language
from lossworks.attribution import marginal
from lossworks.core.errors import UsageError

LINES = ["ab a b", "b ab", "a b ab b", "ba a"] * 10


@pytest.fixture(scope="module")
def model() -> Language:
    """Three states over three characters."""
    return fitted("hmm:states=3,iterations=5", "chars", LINES)


def logp(model: Language, texts: list[str], first: int, last: int | None) -> float:
    """log2 of the probability of any of the texts, of some of their positions given those before."""
    return float(logsumexp([-each.nats[first:last].sum() for each in model.score(texts)]) / np.log(2))


def put(text: str, begin: int, end: int) -> list[str]:
    """The text with anything at all in the place of some characters; ∎ is unknown."""
    return [text[:begin] + "".join(each) + text[end:] for each in product("ab ∎", repeat=end - begin)]


def test_whole_text(model: Language) -> None:
    """A word's share is the surprisal with it less that with any characters in its place and in that of the space before it."""
    text = "ab a ba"
    (found,) = model.explain([text], trial=False)
    assert (found.method, found.parts) == ("marginal", ["ab", "a", "ba"])
    value = -logp(model, [text], 0, None)
    wanted = [value + logp(model, put(text, *place), 0, None) for place in ((0, 2), (2, 4), (4, 7))]
    assert found.value == pytest.approx(value, abs=1e-9)
    assert found.baseline == pytest.approx(-logp(model, put(text, 0, 7), 0, None), abs=1e-9)
    np.testing.assert_allclose(found.shares, wanted, atol=1e-9)


def test_part(model: Language) -> None:
    """Of a word given those before: the share of each is what it changes in p(word | before); what comes later has none."""
    text = "ab a ba b"
    (found,) = model.explain([text], part=3, trial=False)

    def conditional(texts: list[str]) -> float:
        """log2 p(the word | before), the words before being any of these."""
        return logp(model, texts, 0, 7) - logp(model, [each[:4] for each in texts], 0, 4)

    def any_before(begin: int, end: int) -> float:
        return conditional(put(text[:7], begin, end))

    value = -conditional([text[:7]])
    assert found.value == pytest.approx(value, abs=1e-9)
    assert found.baseline == pytest.approx(-any_before(0, 4), abs=1e-9)
    np.testing.assert_allclose(found.shares, [value + any_before(0, 2), value + any_before(2, 4), 0, 0], atol=1e-9)


def test_too_long(model: Language, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would not fit into memory is refused."""
    monkeypatch.setattr(marginal, "_MOST", 30)
    with pytest.raises(UsageError, match="has 11 tokens, of up to 10"):
        model.explain(["a b a b a b"])
