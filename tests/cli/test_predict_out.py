"""``lossworks predict --out``: answers in a file, beside columns of the input; labels by rank, and from a threshold on."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import polars as pl
import pytest

import lossworks
from lossworks.core.errors import DataError, UsageError
from lossworks.data import ReadOptions, stream

from .conftest import Command, csv_of, reviews

BAYES = "naive_bayes:chars=0"


@pytest.fixture
def run(command: Command, tmp_path: Path) -> Path:
    """A small run of two classes."""
    (tmp_path / "data.csv").write_text(csv_of(reviews(40)), "utf-8")
    assert command("fit", "data.csv", "--model", BAYES, "--out", "run", "--quiet").code == 0
    return tmp_path / "run"


def test_rows_are_those_of_the_input_with_answers(command: Command, run: Path, tmp_path: Path) -> None:
    """In every format, in the input's order: the kept columns as they stand, the answer, and all probabilities or the best."""
    rows = [{"id": i, "text": text, "more": {"n": [i]}} for i, (text, _) in enumerate(reviews(9))]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    said = command("predict", run, "in.jsonl", "--json").json["predictions"]
    assert command("predict", run, "in.jsonl", "--out", "all.jsonl").out.strip() == "Rows:  all.jsonl (9)"
    found = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text("utf-8").splitlines()]
    assert [{key: row[key] for key in rows[0]} for row in found] == rows
    assert [row["predicted"] for row in found] == [row["label"] for row in said]
    assert [row["probability:bad"] for row in found] == [row["probabilities"]["bad"] for row in said]
    flags = ("--keep", "more", "--keep", 1, "--top", 1)
    assert command("predict", run, "in.jsonl", "--out", "top.csv", *flags, "--json").json["rows"] == 9
    with (tmp_path / "top.csv").open(encoding="utf-8", newline="") as file:
        cells = list(csv.DictReader(file))
    assert list(cells[0]) == ["more", "id", "predicted", "probability", "label_1", "probability_1"]
    assert [json.loads(row["more"]) for row in cells] == [row["more"] for row in rows]
    assert [row["label_1"] for row in cells] == [row["predicted"] for row in cells] == [row["label"] for row in said]
    table = pl.read_parquet(lossworks.load(run).predict_file(tmp_path / "in.jsonl", tmp_path / "a.parquet").path)
    assert table.to_dicts() == found


def test_a_threshold(command: Command, run: Path, tmp_path: Path) -> None:
    """A class that is named is answered from its threshold on, and else the other; with one number the rest is counted."""
    said = command("predict", run, "data.csv", "--json").json["predictions"]
    cut = sorted(row["probabilities"]["good"] for row in said if row["label"] == "good")[3]
    for spelled, want in (
        ((f"good={cut}",), ["good" if row["probabilities"]["good"] >= cut else "bad" for row in said]),
        ((cut,), [row["label"] if row["probability"] >= cut else None for row in said]),
        (("good=1", f"bad={cut}"), ["bad" if row["probabilities"]["bad"] >= cut else None for row in said]),
    ):
        flags = ["data.csv", *(part for one in spelled for part in ("--threshold", one))]
        found = command("predict", run, *flags, "--json").json["predictions"]
        assert [row["label"] for row in found] == want != [row["label"] for row in said]
        assert all(row["probability"] == row["probabilities"][row["label"]] for row in found if row["label"])
        counted = command("predict", run, *flags, "--keep", "text", "--out", "a.jsonl", "--json").json
        assert (counted["unanswered"], counted["rows"]) == (want.count(None), 40)
    assert (
        f"{want.count(None)} of them without an answer"
        in command("predict", run, *flags, "--out", "a.jsonl", "--keep", "text").out
    )
    assert command("predict", run, "x", "--threshold", 1).out.splitlines()[1].startswith("–\t")
    for wrong, why in (("1.5", "wanted a probability"), ("god=.5", "Did you mean 'good'"), ("high", "wanted a probability")):
        assert why in command("predict", run, "x", "--threshold", wrong).err


def test_sets_and_numbers(tmp_path: Path) -> None:
    """A set holds the labels that reach the threshold; a label's type is kept; numbers take neither threshold nor ranks."""
    small = {"model": "linear:bits=8,chars=0", "epochs": 1, "valid": 0.2, "test": 0.2}
    texts = [f"word{i % 3} more{i}" for i in range(40)]
    sets = lossworks.fit([(text, (["a"], ["b"], ["a", "b"])[i % 3]) for i, text in enumerate(texts)], **small)
    chance = sets.predict_proba(texts[:5])
    cut = float(chance[2, 1])
    assert sets.predict(texts[:5], {"a": 0.0, "b": cut}) == [("a", "b") if row[1] >= cut else ("a",) for row in chance]
    written = sets.predict_file(texts[:5], tmp_path / "sets.csv", threshold=0.0, top=1)
    assert {row["predicted"] for row in pl.read_csv(written.path).to_dicts()} == {"a;b"}
    assert (
        pl.read_parquet(sets.predict_file(texts, tmp_path / "a.parquet", threshold=1.0).path)["predicted"].to_list() == [[]] * 40
    )
    whole = lossworks.fit([(text, i % 2) for i, text in enumerate(texts)], model=BAYES, task="classify")
    assert whole.predict(texts[:2], {1: 0.0}) == [1, 1]
    assert pl.read_parquet(whole.predict_file(texts, tmp_path / "b.parquet").path)["predicted"].dtype == pl.Int64
    numbers = lossworks.fit([(text, i / 7) for i, text in enumerate(texts)], task="regress", **small)
    assert pl.read_csv(numbers.predict_file(texts, tmp_path / "c.csv").path)["predicted"].to_list() == numbers.predict(texts)
    for how in ({"top": 2}, {"threshold": 0.5}):
        with pytest.raises(UsageError, match="predicts numbers"):
            numbers.predict_file(texts, tmp_path / "c.csv", **how)


def test_all_rows_or_none(command: Command, run: Path, tmp_path: Path) -> None:
    """Where a row, a column or a place is bad, what stood there stays; the error says what to do."""
    (tmp_path / "bad.csv").write_text(csv_of([*reviews(5), (" ", "x")]), "utf-8")
    (tmp_path / "other.csv").write_text("body\nx\n", "utf-8")
    (tmp_path / "out.csv").write_text("mine", "utf-8")
    for flags, why in (
        (["bad.csv"], "bad.csv, line 7: the text is empty. Repair it, or leave bad rows out with --bad-rows skip."),
        (["data.csv", "--keep", "it"], "no column 'it' (--keep)"),
        (["data.csv", "other.csv"], "Name those to keep that all have: --keep."),
        (["a text", "--keep", "id"], "no columns, so none is 'id' (--keep). What can be kept: text."),
    ):
        ended = command("predict", run, *flags, "--out", "out.csv")
        assert (ended.code, why in ended.err) == (2, True), ended.err
        assert (tmp_path / "out.csv").read_text("utf-8") == "mine"
    assert sorted(path.name for path in tmp_path.iterdir() if "out" in path.name) == ["out.csv"]
    assert "1 bad row left out" in command("predict", run, "bad.csv", "--out", "out.csv", "--bad-rows", "skip").err
    assert "a column 'predicted'" in command("predict", run, "out.csv", "--out", "out.csv").err
    assert command("predict", run, "out.csv", "--out", "out.csv", "--keep", "text").code == 0
    assert (tmp_path / "out.csv").read_text("utf-8").count("\n") == 6
    assert "ends in .csv, .jsonl or .parquet" in command("predict", run, "x", "--out", "out.txt").err
    assert "Say --out FILE" in command("predict", run, "x", "--keep", "id").err
    mixed = [{"text": "a", "n": 1}, {"text": "b", "n": "x"}]
    with pytest.raises(DataError, match=r"Write a \.jsonl file"):
        lossworks.load(run).predict_file(mixed, tmp_path / "a.parquet")


def test_rows_are_read_as_they_are_asked_for() -> None:
    """A stream holds a block of its source, and no more."""
    drawn = iter(range(40_000))
    with stream(({"text": f"t{i}", "i": i} for i in drawn), ReadOptions(unlabelled=True, keep=["i"])) as found:
        block = next(found.blocks())
        assert next(drawn) == len(block.texts) == 10_000
        assert block.kept == [list(range(10_000))]


def test_a_column_of_another_name_is_told(command: Command, run: Path, tmp_path: Path) -> None:
    """Text that is found where it was not in training is said to be, once; not where it is named, or called the same."""
    text = csv_of(reviews(9))
    (tmp_path / "same.csv").write_text(text, "utf-8")
    for name in ("other.csv", "another.csv"):
        (tmp_path / name).write_text(text.replace("text,label", "message,label", 1), "utf-8")
    said = "note   text is read from 'message', as there is no 'text'. --text names another column.\n"
    out = ("--out", "out.csv")
    assert command("predict", run, "other.csv").err == said
    assert command("predict", run, "other.csv", "another.csv", *out).err == said
    for call in (["other.csv", "-q"], ["other.csv", "-q", *out], ["other.csv", "--text", "message", *out], ["same.csv", *out]):
        assert command("predict", run, *call).err == ""
