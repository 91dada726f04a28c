"""Which training rows raised a loss: the front, from the record of a run."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

import lossworks
from lossworks.api import influence
from lossworks.core.errors import UsageError

ROWS = [(f"{word} film number {i}", label) for i in range(30) for word, label in (("good", "yes"), ("bad", "no"))]
Put = Callable[[str, str | bytes], Path]


@pytest.fixture
def data(put: Put) -> Path:
    """A file of them, one label wrong: line 42."""
    rows = [*ROWS[:40], ("a splendid film number 7", "no"), *ROWS[40:]]
    return put("data.csv", "text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))


def test_as_trained_without_it(data: Path, tmp_path: Path) -> None:
    """The wrong row raised the loss most, by as much as a fit without it tells; the rows are those of the last training."""
    model = lossworks.fit(data, model="ngram:order=1", tokenizer="words", test=0.0, valid=0.1, out=tmp_path / "run")
    (found,) = influence(lossworks.load(tmp_path / "run"), ["a splendid film"], labels=["yes"])
    assert found.rows == model.record["result"]["refit_rows"]
    worst = found.raised[0]
    assert (worst.text, worst.label, worst.place) == ("a splendid film number 7", "no", f"{data}, line 42")
    assert all(row.influence > 0 for row in found.raised)
    assert all(row.influence < 0 for row in found.lowered)
    assert found.raised[0].influence == max(row.influence for row in found.raised)
    probability = float(model.predict_proba(["a splendid film"])[0, 1])
    assert found.loss == pytest.approx(-math.log(probability))


def test_language_model(put: Put, tmp_path: Path) -> None:
    """Of a language model the rows of the training part, which have no labels."""
    corpus = put("corpus.txt", "".join(f"the cat {i} sat\n" for i in range(60)) + "a dog barked\n")
    lossworks.fit(corpus, task="lm", model="ngram:order=2", tokenizer="words", out=tmp_path / "run", test=0.0, valid=0.0)
    (found,) = influence(lossworks.load(tmp_path / "run"), ["a dog barked"], top=1)
    assert found.rows == 61
    assert found.lowered[0].text == "a dog barked"
    assert found.lowered[0].label is None
    assert found.to_json()["lowered"][0]["place"].endswith("line 61")


def test_refused(data: Path, tmp_path: Path) -> None:
    """Families that are not counted, models without a run, data that has gone, unknown labels: each with the remedy."""
    linear = lossworks.fit(data, model="linear:bits=10", epochs=1, out=tmp_path / "linear")
    with pytest.raises(UsageError, match=r"holds no n-gram models.*--learning"):
        influence(linear, ["x"])
    with pytest.raises(UsageError, match="Load it from its directory"):
        influence(lossworks.fit(ROWS, model="ngram:order=1"), ["x"])
    counted = lossworks.fit(data, model="ngram:order=1", out=tmp_path / "counted")
    with pytest.raises(UsageError, match=r"knows no label 'maybe'. Labels: no, yes"):
        influence(counted, ["x"], labels=["maybe"])
    data.rename(tmp_path / "moved.csv")
    with pytest.raises(UsageError, match=r"is not here. Give it: lossworks explain .* --rows --data FILE"):
        influence(counted, ["x"])
    assert influence(counted, ["x"], data=tmp_path / "moved.csv")[0].rows == 61 - round(61 * 0.1)
