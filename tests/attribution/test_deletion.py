"""Leave-one-out, and texts with some of their parts."""

from __future__ import annotations

import numpy as np
import pytest

import lossworks
from lossworks.attribution import deletion
from lossworks.core.errors import UsageError

ROWS = [(f"{word} film number {i}", label) for i in range(20) for word, label in (("good", "yes"), ("bad", "no"))]


@pytest.fixture(scope="module")
def model() -> lossworks.Model:
    """A small classifier."""
    return lossworks.fit(ROWS, model="linear:bits=12", epochs=3)


def logit(model: lossworks.Model, text: str) -> float:
    """The calibrated log-odds of yes."""
    no, yes = np.log(model.predict_proba([text])[0])
    return float(yes - no)


def test_by_hand(model: lossworks.Model) -> None:
    """A share is what the quantity loses when the part goes, with the white space beside it; the residual is the rest."""
    text = "a good film , bad"
    (found,) = model.explain([text], label="yes", method="leave_one_out")
    without = ["good film , bad", "a film , bad", "a good , bad", "a good film bad", "a good film ,"]
    whole, nothing = logit(model, text), logit(model, "")
    np.testing.assert_allclose(found.shares, [whole - logit(model, each) for each in without], atol=1e-6)
    assert found.parts == text.split()
    assert found.value == pytest.approx(whole, abs=1e-6)
    assert found.baseline == pytest.approx(nothing, abs=1e-6)
    assert found.residual == pytest.approx(whole - nothing - found.shares.sum(), abs=1e-9)
    assert found.parts[int(found.shares.argmax())] == "good"
    assert found.parts[int(found.shares.argmin())] == "bad"


def test_texts_apart(model: lossworks.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts explained together, alone, or in blocks get the same shares; an empty text has none."""
    texts = ["good", "", "bad film", "a good film number 3"]
    together = model.explain(texts, method="leave_one_out", trial=False)
    monkeypatch.setattr(deletion, "_AT_ONCE", 4)
    blocks = model.explain(texts, method="leave_one_out", trial=False)
    for text, one, other in zip(texts, together, blocks, strict=True):
        (alone,) = model.explain([text], method="leave_one_out", trial=False)
        np.testing.assert_allclose(one.shares, other.shares, atol=1e-6)
        np.testing.assert_allclose(one.shares, alone.shares, atol=1e-6)
    assert together[1].shares.size == 0
    assert together[1].value == together[1].baseline


def test_too_many_parts(model: lossworks.Model) -> None:
    """A text that would be read thousands of times is refused."""
    with pytest.raises(UsageError, match="text number 2 has 2,001 parts"):
        model.explain(["a", "a " * 2001], method="leave_one_out", trial=False)
