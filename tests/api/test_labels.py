"""Labels and texts as a user gives and gets them: types, sets, frames, and rows that recur."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

import lossworks
from lossworks.api import Model, evaluate
from lossworks.data import ReadOptions

SMALL: dict[str, Any] = {"model": "linear:bits=10,chars=3", "epochs": 2}


def fitted(labels: list[Any], out: Path | None = None, **choices: Any) -> Model:
    """A model of sixty rows that carry ``labels`` in turn."""
    rows = [(f"the word w{i % len(labels)} of row {i}", labels[i % len(labels)]) for i in range(60)]
    model = lossworks.fit(rows, out=out, **SMALL, **choices)
    assert isinstance(model, Model)
    return model


@pytest.mark.parametrize("labels", [[0, 1], [3, 11, 2], [True, False], [0.5, 1.0], ["0", "1"], [2**60, 2**60 + 1]])
def test_types_given_are_types_returned(labels: list[Any], tmp_path: Path) -> None:
    """From ``fit`` and from the run directory, in answers and in the names of the columns."""
    for model in (fitted(labels, tmp_path / "run", task="classify"), lossworks.load(tmp_path / "run")):
        assert isinstance(model, Model)
        assert model.labels == tuple(sorted(labels))
        answers = model.predict([f"w{i}" for i in range(len(labels))])
        assert {type(answer) for answer in (*answers, *model.labels)} == {type(labels[0])}
        assert set(answers) <= set(labels)


def test_types_in_sets() -> None:
    """A set's labels have the type that lists were given with."""
    model = fitted([[1, 2], [2], [3]], test=0.2)
    assert model.labels == (1, 2, 3)
    assert all(isinstance(answer, tuple) and set(answer) <= {1, 2, 3} for answer in model.predict(["w0", "w1", "w2"]))


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_frames(make: Any) -> None:
    """Frames to fit, predict and evaluate; the text column is the one that was learned from."""
    frame = make({"id": range(60), "phrase": [f"w{i % 2} of {i}" for i in range(60)], "kind": [i % 2 for i in range(60)]})
    read = ReadOptions(text="phrase", label="kind")
    model = lossworks.fit(frame, read=read, **SMALL)
    assert isinstance(model, Model)
    assert model.predict(frame) == model.predict(list(frame["phrase"])) == model.predict(frame["phrase"])
    assert evaluate(model, frame, read)["rows"] == 60


def test_several_labels_in_a_cell(tmp_path: Path) -> None:
    """The parts are found, kept in the record, and used again to evaluate, where single labels would not tell."""
    table = tmp_path / "x.csv"
    cells = ["food; money", "money", "", "food"]
    table.write_text("text,labels\n" + "".join(f"w{i % 4} of {i},{cells[i % 4]}\n" for i in range(60)))
    model = lossworks.fit(table, task="multilabel", out=tmp_path / "run", **SMALL)
    assert isinstance(model, Model)
    assert model.labels == ("food", "money")
    assert model.record["data"]["label_sep"] == ";"
    assert "';'" in model.record["data"]["notes"][0]
    table.write_text("text,labels\nw0 a,food;money\nw1 b,money\nw2 c,\n")
    assert evaluate(model, table)["rows"] == 3
    one = lossworks.fit(tmp_path / "x.csv", read=ReadOptions(bad_rows="skip"), **SMALL)
    assert "--label-sep ';'" in one.record["data"]["notes"][0]


def test_rows_that_recur_are_one_text(tmp_path: Path) -> None:
    """Intervals of eight rows of two texts are as wide as those of two, of the model and of its baseline; and it is said."""
    model = fitted(["a", "b"])
    once = evaluate(model, [("w0 of a kind", "a"), ("w1 of a kind", "a")])
    often = evaluate(model, [("w0 of a kind", "a"), ("w1 of a kind", "a")] * 4)
    assert (often["rows"], often["texts"], once["texts"]) == (8, 2, 2)
    for name, metric in once["metrics"].items():
        assert often["metrics"][name] == pytest.approx(metric), name
    assert often["baseline"]["metrics"]["nll"] == pytest.approx(once["baseline"]["metrics"]["nll"])
    compared = lossworks.compare(
        [(f"w{i % 2} row {i // 4}", "ab"[i % 2]) for i in range(80)], loss=["cross_entropy", "mse"], trials=0, seeds=2, test=0.5,
        model="linear:bits=10", epochs=2, out=tmp_path / "compared",
    )  # fmt: skip
    found = compared.record["result"]
    assert found["test_rows"] == 2 * found["test_texts"]
    assert f"{found['test_texts']} different texts" in (tmp_path / "compared/report.html").read_text("utf-8")
    repeated = [(f"w{i % 2} row {i // 4}", "ab"[i % 2]) for i in range(80)]
    held_out = lossworks.fit(repeated, test=0.5, **SMALL).record["result"]
    assert held_out["rows"] == 2 * held_out["texts"]


def test_labels_that_are_hardly_two() -> None:
    """A fit says which labels differ in case or form alone, and how many more; it takes them as they are."""
    labels = ["good", "Good", "bad", "BAD"]
    model = lossworks.fit([(f"a thing, number {i}", labels[i % 4]) for i in range(60)], model="linear:bits=8", epochs=1)
    note = "the labels 'BAD' and 'bad' are taken as different ones (1 more such pair); where they are one, spell them alike"
    assert model.record["data"]["notes"] == [note]
    sets = [(f"a thing, number {i}", [labels[i % 4], "x"]) for i in range(60)]
    assert lossworks.fit(sets, model="linear:bits=8", epochs=1).record["data"]["notes"] == [note]
    plain = lossworks.fit([(f"a thing, number {i}", labels[i % 2 * 2]) for i in range(60)], model="linear:bits=8", epochs=1)
    assert plain.record["data"]["notes"] == []
