"""Which training rows raised a loss: the front, from the record of a run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import lossworks
from lossworks.api import influence
from lossworks.api.influence import Row
from lossworks.cli.explain_rows import tell_rows
from lossworks.core.errors import UsageError
from lossworks.engine import Callbacks

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
    network = lossworks.fit(data, model="bag:dim=2", epochs=1, risk="cvar:alpha=0.5", out=tmp_path / "network")
    with pytest.raises(UsageError, match=r"no row can be taken out of .*in the risk cvar.*--learning"):
        influence(network, ["x"])
    with pytest.raises(UsageError, match=r"seeds is 1; wanted 2 or more"):
        influence(network, ["x"], seeds=1)
    hidden = lossworks.fit(["a b", "b a"] * 30, task="lm", model="hmm:states=2,iterations=1", out=tmp_path / "hidden")
    with pytest.raises(UsageError, match=r"holds no n-gram models.*Fit --model ngram"):
        influence(hidden, ["x"])
    with pytest.raises(UsageError, match="Load it from its directory"):
        influence(lossworks.fit(ROWS, model="ngram:order=1"), ["x"])
    counted = lossworks.fit(data, model="ngram:order=1", out=tmp_path / "counted")
    with pytest.raises(UsageError, match=r"knows no label 'maybe'. Labels: no, yes"):
        influence(counted, ["x"], labels=["maybe"])
    data.rename(tmp_path / "moved.csv")
    with pytest.raises(UsageError, match=r"is not here. Give it: lossworks explain .* --rows --data FILE"):
        influence(counted, ["x"])
    assert influence(counted, ["x"], data=tmp_path / "moved.csv")[0].rows == 61 - round(61 * 0.1)


def test_linear(data: Path, tmp_path: Path) -> None:
    """Of a linear model each row named did what training again without it tells, and the wrong row raised the loss most."""
    how = {"model": "linear:bits=12,chars=0", "epochs": 3, "valid": 0, "test": 0}
    model = lossworks.fit(data, out=tmp_path / "run", **how)
    told = list[str]()
    watch = Callbacks(watch=lambda event, fields: told.append(event))
    (found,) = influence(lossworks.load(tmp_path / "run"), ["a splendid film"], labels=["yes"], top=3, callbacks=watch)
    assert found.loss == pytest.approx(-math.log(model.predict_proba(["a splendid film"])[0, 1]), rel=1e-5)
    assert found.rows == 61
    assert (found.raised[0].text, found.raised[0].place) == ("a splendid film number 7", f"{data}, line 42")
    assert len(found.raised) == len(found.lowered) == 3
    assert {"again", "train", "follow", "copies"} <= set(told)
    rows = [(text, label, 1.0) for text, label in [*ROWS[:40], ("a splendid film number 7", "no"), *ROWS[40:]]]
    for row in (*found.raised, *found.lowered):
        left = int(row.place.rpartition(" ")[2]) - 2
        assert rows[left][:2] == (row.text, row.label)
        weighed = [*rows[:left], (*rows[left][:2], 0.0), *rows[left + 1 :]]
        without = lossworks.fit(weighed, **how).predict_proba(["a splendid film"])[0, 1]
        assert row.influence == pytest.approx(found.loss + math.log(without), abs=1e-5)
    assert found.tried == 40
    assert f"{found.agreement:.3f} over 40 random ones" in found.method
    assert influence(lossworks.load(tmp_path / "run"), []) == []


def test_calibrated(data: Path, tmp_path: Path) -> None:
    """With a temperature the loss is that of the answers given; after a second training the rows are those of that one."""
    rows = [*ROWS, *((text, "no" if number % 7 == 0 else label) for number, (text, label) in enumerate(ROWS))]
    lossworks.fit(rows, out=tmp_path / "run", model="linear:bits=12,chars=0", epochs=4)
    model = lossworks.load(tmp_path / "run")
    model.predictor.temperature = 2.0
    (found,) = influence(model, ["good film"], data=rows)
    assert found.label == "yes"
    assert found.loss == pytest.approx(-math.log(model.predict_proba(["good film"])[0, 1]), rel=1e-5)
    assert found.rows == model.record["result"]["refit_rows"] == 120 - 12
    assert found.agreement is not None
    assert found.agreement > 0.9


def test_sets_and_numbers(tmp_path: Path) -> None:
    """Of label sets the surprisal of them all, of numbers the squared error, which needs to know the number."""
    sets = [{"text": text, "label": [label, text.split()[0]]} for text, label in ROWS]
    lossworks.fit(sets, out=tmp_path / "sets", model="linear:bits=10,chars=0", epochs=2, test=0)
    (found,) = influence(lossworks.load(tmp_path / "sets"), ["good film"], labels=[["yes", "good"]], data=sets)
    chances = lossworks.load(tmp_path / "sets").predict_proba(["good film"])[0]
    true = np.isin(lossworks.load(tmp_path / "sets").labels, ["yes", "good"])
    assert found.loss == pytest.approx(-np.log(np.where(true, chances, 1 - chances)).sum(), rel=1e-4)
    numbers = [{"text": text, "label": float(len(text)) + (label == "yes")} for text, label in ROWS]
    lossworks.fit(numbers, task="regress", out=tmp_path / "numbers", model="linear:bits=10,chars=0", epochs=2, test=0)
    model = lossworks.load(tmp_path / "numbers")
    with pytest.raises(UsageError, match=r"needs to know which one is true. Give it: --for NUMBER"):
        influence(model, ["good film"], data=numbers)
    (found,) = influence(model, ["good film"], labels=["21"], data=numbers)
    assert found.unit == "squared units"
    assert found.loss == pytest.approx((model.predict(["good film"])[0] - 21) ** 2, rel=1e-4)


def test_network(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a network it is called an approximation; rows have intervals, and are called shown where these exclude 0."""
    lossworks.fit(data, model="bag:dim=2", epochs=2, out=tmp_path / "run", test=0)
    found = influence(lossworks.load(tmp_path / "run"), ["a good film", "a bad film"], top=2, seeds=2)
    for each in found:
        assert "first-order approximation" in each.method
        assert "2 trainings with other seeds" in each.method
        for row in (*each.raised, *each.lowered):
            assert row.low is not None
            assert row.high is not None
            assert row.influence == pytest.approx((row.low + row.high) / 2)
            assert row.shown == (row.low > 0 or row.high < 0)
    row = Row("here", "words", "yes", 0.1, -0.1, 0.3, shown=False)
    told = replace(found[0], raised=(row,), lowered=())
    tell_rows(tmp_path, [told], json=False)
    assert "Nothing is shown: of no row does the interval exclude 0." in " ".join(capsys.readouterr().out.split())
    tell_rows(tmp_path, [replace(told, raised=(replace(row, low=0.05, shown=True),))], json=False)
    out = capsys.readouterr().out
    assert "+0.05 to +0.3" in out
    assert "shown" in out
    assert "Nothing" not in out
