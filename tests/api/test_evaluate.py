"""Figures on other data, and on data that is not as other as it should be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import lossworks
from lossworks.api import evaluate, labels_side_by_side
from lossworks.core.errors import DataError, UsageError
from lossworks.data import ReadOptions

ROWS = [(f"a {('lovely', 'awful')[i % 2]} thing, number {i}", ("good", "bad")[i % 2]) for i in range(60)]


def test_figures_on_the_training_data_are_marked() -> None:
    """The very rows of the fit are recognised, whatever they come in; other rows are not."""
    model = lossworks.fit(ROWS, model="linear:bits=10", epochs=2)
    assert evaluate(model, [{"text": text, "label": label} for text, label in ROWS])["trained_on"]
    assert not evaluate(model, ROWS[:30])["trained_on"]


def test_held_out_rows_of_their_own(tmp_path: Path) -> None:
    """Rows that were given to test on are not called trained on; those that were given to choose by are."""
    parts = {"valid": _written(ROWS[:10], tmp_path / "v.jsonl"), "test": _written(ROWS[10:20], tmp_path / "t.jsonl")}
    model = lossworks.fit(
        _written(ROWS[20:], tmp_path / "d.jsonl"), model="linear:bits=10", epochs=2, out=tmp_path / "run", **parts
    )
    assert [evaluate(model, parts[name])["trained_on"] for name in parts] == [True, False]


def test_baseline_is_that_of_training() -> None:
    """What always answering training's commonest class scores, even where the new data has another."""
    rows = [(f"a fine thing, number {i}", "good" if i % 3 else "bad") for i in range(60)]
    model = lossworks.fit(rows, model="linear:bits=10", epochs=1)
    result = evaluate(model, [("terrible", "bad"), ("awful", "bad"), ("fine", "good"), ("poor", "bad")])
    assert result["baseline"]["name"] == "majority class 'good'"
    assert result["baseline"]["metrics"]["accuracy"]["value"] == pytest.approx(0.25)


def test_mistakes_say_where_they_stand(tmp_path: Path) -> None:
    """Drawn again from the run's data, each is found on the line of the file that is named."""
    rows = [(f"a {('lovely', 'awful')[i % 2]} thing, number {i}", ("good", "bad")[i // 30]) for i in range(60)]
    path = _written(rows, tmp_path / "data.jsonl")
    lossworks.fit(path, model="linear:bits=10", epochs=2, test=0.5, out=tmp_path / "run")
    model = lossworks.load(tmp_path / "run")
    mistakes = evaluate(model)["mistakes"]
    assert [one["place"] for one in mistakes] == [one["place"] for one in model.record["result"]["mistakes"]] != []
    for one in mistakes:
        name, line = one["place"].split(", line ")
        assert name == str(path)
        assert json.loads(path.read_text().splitlines()[int(line) - 1])["text"] == one["text"]


def test_columns_are_those_of_the_run(tmp_path: Path) -> None:
    """What was named at the fit need not be named again, of its data or of other; nor to go on."""
    path = tmp_path / "data.csv"
    path.write_text("id,saying,kind\n" + "".join(f'{i},"{text}",{label}\n' for i, (text, label) in enumerate(ROWS)))
    read = ReadOptions(text="saying", label="kind")
    lossworks.fit(f"{path}", read=read, model="linear:bits=10", epochs=2, out=tmp_path / "run")
    model = lossworks.load(tmp_path / "run")
    assert len(evaluate(model)["mistakes"]) <= 6
    assert evaluate(model, f"{path}")["trained_on"]
    further = lossworks.fit(f"{path}", start=tmp_path / "run", model="linear:bits=10", out=tmp_path / "further")
    assert further.record["result"]["from"]["rows"] or further.record["result"]["from"]["known"]
    with pytest.raises(DataError, match=r"Its columns: one, two, three\.$"):  # without what only a fit could do
        evaluate(model, [{"one": "a", "two": "b", "three": "c"}])


CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "labels": (ROWS, {"model": "linear:bits=10", "epochs": 2}),
    "weights": ([(*row, 1 + i % 3) for i, row in enumerate(ROWS)], {"model": "linear:bits=10", "seed": 3, "test": 0.3}),
    "test rows of their own": (ROWS, {"model": "linear:bits=10", "test": ROWS[:7]}),
    "sets": ([(text, (label, "thing")) for text, label in ROWS], {"model": "linear:bits=10"}),
    "numbers": ([(text, i / 7) for i, (text, _) in enumerate(ROWS)], {"model": "linear:bits=10"}),
    "a model a class": (ROWS, {"model": "ngram:order=2"}),
    "language of lines": ([text for text, _ in ROWS], {"task": "lm", "model": "ngram:order=2"}),
    "one long text": ([text for text, _ in ROWS], {"task": "lm", "model": "ngram:order=2", "document_unit": "file"}),
}


def _written(rows: Any, path: Path) -> Path:
    """The rows in a file: plain texts, or JSON lines."""
    keys = ("text", "label", "weight")
    lines = [row if isinstance(row, str) else json.dumps(dict(zip(keys, row, strict=False))) for row in rows]
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("case", CASES)
def test_on_what_the_run_was_tested_on(case: str, tmp_path: Path) -> None:
    """Without data it is the test part of the model's own run: what ``fit`` said of it is said again."""
    rows, how = CASES[case]
    read = lossworks.ReadOptions(weight="weight") if case == "weights" else None
    if isinstance(how.get("test"), list):
        how = how | {"test": _written(how["test"], tmp_path / "test.jsonl")}
    lossworks.fit(
        _written(rows, tmp_path / f"data.{'txt' if 'lm' in how.values() else 'jsonl'}"), out=tmp_path / "run", read=read, **how
    )
    model = lossworks.load(tmp_path / "run")
    found, told = evaluate(model, read=read), model.record["result"]
    assert {key: found[key] for key in ("rows", "metrics", "baseline")} == {
        key: told[key] for key in ("rows", "metrics", "baseline")
    }
    assert found["source"] == (
        own if isinstance(own := model.record["given"]["test"], str) else f"the test part of {model.record['data']['source']}"
    )
    assert not found["trained_on"]


def test_what_was_tested_on_is_gone(tmp_path: Path) -> None:
    """A model without a run, data that is gone or changed, runs tested on other rows or none: each is said, with what to do."""
    path = _written(ROWS, tmp_path / "data.jsonl")
    names = {name: {"out": tmp_path / name, "seed": seed} for name, seed in (("a", 0), ("b", 0), ("c", 1))}
    for how in names.values():
        lossworks.fit(path, model="linear:bits=8", epochs=1, **how)
    a, b, c = (lossworks.load(tmp_path / name) for name in names)
    assert [row["run"] for row in labels_side_by_side({"a": a, "b": b})["runs"]] == ["a", "b"]
    with pytest.raises(UsageError, match=r"a and c were tested on other rows: fit them .* or give the text"):
        labels_side_by_side({"a": a, "b": b, "c": c})
    with pytest.raises(UsageError, match=r"no record of the data .* Give the text"):
        evaluate(lossworks.fit(ROWS, model="linear:bits=8", epochs=1))
    few = lossworks.fit(_written(ROWS[:20], tmp_path / "few.jsonl"), model="linear:bits=8", out=tmp_path / "few")
    with pytest.raises(UsageError, match="was tested on no rows"):
        evaluate(few)
    _written(ROWS[1:], path)
    with pytest.raises(DataError, match="the rows read are not those"):
        evaluate(a)
    path.unlink()
    with pytest.raises(UsageError, match=r"is not here\. Give it: lossworks evaluate .*a DATA"):
        evaluate(a)
