"""``check_labels``: planted mistakes are found in classes, sets and numbers; what it gives and what it refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import lossworks
from lossworks import check_labels
from lossworks.checks.answers import KIND
from lossworks.core.errors import DataError, UnknownName, UsageError

SMALL = "linear:bits=12,chars=0"
BAYES = "ngram:order=1,smoothing=additive,delta=0.3"
WORDS = {"a": ["red", "rose", "blood"], "b": ["blue", "sky", "sea"], "c": ["green", "leaf", "lime"]}


def texts(labels: list[str], seed: int = 0) -> list[str]:
    """A text for each label or set of labels, spelled as letters: words of those among others."""
    draw = np.random.default_rng(seed)
    common = ["the", "a", "of", "and", "to", *"klmnop"]
    return [
        " ".join(draw.permutation([*draw.choice(common, 5), *(draw.choice(WORDS[name]) for name in label for _ in range(2))]))
        for label in labels
    ]


def planted(rows: int = 300, wrong: int = 20) -> tuple[list[tuple[str, str]], np.ndarray]:
    """Rows of three classes, and which of them carry another one's label: mostly "a" for "b"."""
    true = [("a", "b", "c")[i % 3] for i in range(rows)]
    hit = np.zeros(rows, np.bool_)
    hit[1 : 3 * wrong : 3] = True
    given = ["a" if bad else label for label, bad in zip(true, hit, strict=True)]
    return list(zip(texts(true), given, strict=True)), hit


def auc(wrong: np.ndarray, loss: np.ndarray) -> float:
    """The chance that a wrong row is ranked before a right one."""
    ranks = loss.argsort().argsort() + 1
    bad = wrong.sum()
    return float((ranks[wrong].sum() - bad * (bad + 1) / 2) / (bad * (~wrong).sum()))


def test_planted_classes_are_found() -> None:
    """Wrong labels come first, with the right one named; again the same to the bit, and with several models too."""
    rows, wrong = planted()
    found = check_labels(rows, model=[BAYES, SMALL], folds=3, sample=40)
    assert auc(wrong, found.loss) > 0.98
    top = [row for row in found.rows() if wrong[int(row["row"].split()[-1]) - 1]]
    assert np.mean([row["answer"] == "b" for row in top]) > 0.9
    assert [row["place"] for row in found.rows()] == list(range(1, 301))
    np.testing.assert_array_equal(check_labels(rows, model=[BAYES, SMALL], folds=3, sample=40).loss, found.loss)
    assert "How many" not in repr(found)
    assert "300 rows are ranked" in repr(found)


def test_labels_keep_their_type() -> None:
    """Classes given as numbers are answered as numbers."""
    rows, _ = planted(90, 5)
    numbered = [(text, "abc".index(label)) for text, label in rows]
    first = next(check_labels(numbered, model=BAYES, sample=20).rows())
    assert {type(first["label"]), type(first["answer"])} == {int}


def test_planted_sets_are_found() -> None:
    """Added and missing labels come first, each named."""
    draw = np.random.default_rng(5)
    true = [tuple(name for name in "abc" if draw.random() < 0.5) for _ in range(240)]
    given: list[tuple[str, ...]] = list(true)
    for row in range(0, 40, 4):
        given[row] = tuple(sorted(set(true[row]) ^ {"b"}))
    rows = list(zip(texts(list(map("".join, true))), given, strict=True))
    found = check_labels(rows, task="multilabel", model=SMALL, folds=3, sample=30)
    wrong = np.array([a != b for a, b in zip(true, given, strict=True)])
    assert auc(wrong, found.loss) > 0.95
    for row in list(found.rows())[:5]:
        number = int(row["row"].split()[-1]) - 1
        assert (row["doubtful"], row["is"]) == ("b", "added" if "b" in given[number] else "missing")


def test_planted_numbers_are_found() -> None:
    """Numbers that are far off come first, the loss in their own unit."""
    size = {"a": 0.0, "b": 50.0, "c": 100.0}
    names = ["abc"[i % 3] for i in range(240)]
    true = np.array([size[name] for name in names]) + np.random.default_rng(0).normal(0, 3, 240)
    given = true.copy()
    given[:12] += 150 * np.where(np.arange(12) % 2, 1, -1)
    found = check_labels(list(zip(texts(names), given.tolist(), strict=True)), model=SMALL, sample=30)
    assert set(found.order[:12].tolist()) == set(range(12))
    assert found.loss[:12] == pytest.approx(np.full(12, 150), abs=40)
    assert found.to_json()["labels"] is None


def answered(found: Any, wrong: np.ndarray) -> dict[str, Any]:
    """A hand check's answers by whoever knows which rows are wrong."""
    said = ["wrong" if wrong[int(row["row"].split()[-1]) - 1] else "right" for row in found.sample()]
    rows = [{"place": row["place"], "row": row["row"], "answer": a} for row, a in zip(found.sample(), said, strict=True)]
    return {"kind": KIND, "check": found.check, "answers": rows}


def test_errors_are_counted_by_hand_alone(tmp_path: Path) -> None:
    """Without answers no number is claimed; with them it is estimated, its interval around the truth."""
    rows, wrong = planted(600, 60)
    found = check_labels(rows, model=BAYES, sample=90)
    assert found.estimate is None
    assert found.to_json()["estimate"] is None
    (tmp_path / "answers.json").write_text(json.dumps(answered(found, wrong)), "utf-8")
    counted = check_labels(rows, model=BAYES, sample=90, checked=tmp_path / "answers.json")
    estimate = counted.to_json()["estimate"]
    assert estimate["errors"]["low"] <= wrong.sum() <= estimate["errors"]["high"]
    assert estimate["looked_at"] == 90
    assert [part["rows"] for part in estimate["precision"]] == [100, 200, 500, 600]
    assert f"of 600 labels are wrong (95\u202f% interval {estimate['errors']['low']:.0f} to" in repr(counted)
    with pytest.raises(UsageError, match="for other data"):
        check_labels(rows[1:], model=BAYES, sample=90, checked=tmp_path / "answers.json")
    with pytest.raises(UsageError, match="for another check: seed was 0, and is 1"):
        check_labels(rows, model=BAYES, sample=90, seed=1, checked=answered(found, wrong))


def test_all_rows_are_written(tmp_path: Path) -> None:
    """As CSV and as JSON lines, in the order of the ranking, to be read again as data; another ending is refused."""
    rows, _ = planted(60, 5)
    found = check_labels([(f'{text}, "{i}"\n', label) for i, (text, label) in enumerate(rows)], model=BAYES, sample=20)
    table = pl.read_csv(found.write_rows(tmp_path / "rows.csv"))
    assert table["place"].to_list() == list(range(1, 61))
    assert table["loss"].to_list() == pytest.approx(np.sort(found.loss)[::-1])
    lines = found.write_rows(tmp_path / "rows.jsonl").read_text("utf-8").split("\n")[:-1]
    assert [json.loads(line) for line in lines] == list(found.rows())
    again = check_labels(tmp_path / "rows.csv", model=BAYES, sample=20)
    assert sorted(row["text"] for row in again.rows()) == sorted(row["text"] for row in found.rows())
    with pytest.raises(UsageError, match=r"wanted a file that ends in .csv, .jsonl or .parquet"):
        found.write_rows(tmp_path / "rows.xlsx")


def test_sets_in_a_table(tmp_path: Path) -> None:
    """Several labels stand in one cell, parted as they may be read again."""
    rows = [(text, ("a", "b") if i % 2 else ()) for i, text in enumerate(texts(["ab", "c"] * 20))]
    found = check_labels(rows, task="multilabel", model=SMALL, folds=2, sample=10)
    with found.write_rows(tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        cells = {row["label"] for row in csv.DictReader(file)}
    assert cells == {"a;b", ""}
    again = lossworks.data.load(tmp_path / "rows.csv", lossworks.ReadOptions(label_sep="auto"))
    assert sorted(map(str, again.labels)) == sorted(str(label) for _, label in rows)


def test_a_label_of_one_text_is_said() -> None:
    """It is ranked, and said, as no model can judge it."""
    rows, _ = planted(60, 0)
    found = check_labels([*rows, ("the odd one", "tpyo")], model=BAYES, sample=20)
    assert found.notes == ["1 label stands on one text only, which no model can judge: 'tpyo'"]
    assert found.loss[60] == pytest.approx(np.log(61))


@pytest.mark.parametrize(
    ("rows", "choices", "error", "words"),
    [
        ([("x y", "a"), ("y z", "a")], {}, DataError, "all 2 rows have the label 'a'"),
        ([("x", "a"), ("y", "a"), ("z", "b"), ("z", "b")], {}, DataError, "fewer than two labels stand on several texts"),
        ([("x", None), ("y", "a")], {}, DataError, "the label is missing"),
        ([("x", "a"), ("y", "b"), ("z", "a"), ("u", "b")] * 3, {}, UsageError, "folds is 5; wanted 2 to 4, one for each"),
        (planted(30, 0)[0], {"folds": 1}, UsageError, "folds is 1; wanted a whole number, 2 or more"),
        (planted(30, 0)[0], {"sample": 0}, UsageError, "sample is 0; wanted a whole number, 1 or more"),
        (planted(30, 0)[0], {"task": "lm"}, UnknownName, "unknown task 'lm'"),
        (planted(30, 0)[0], {"task": "regress"}, DataError, "the label 'a' where a number belongs"),
        (planted(30, 0)[0], {"model": "liner"}, UnknownName, "Did you mean 'linear'"),
        ([(f"x {i}", i / 7) for i in range(40)], {"model": BAYES}, UsageError, "tells classes apart, and the task is regress"),
    ],
)
def test_what_cannot_be_checked(rows: Any, choices: dict[str, Any], error: type[Exception], words: str) -> None:
    """One class, no class of several texts, missing labels, too many folds, the wrong task or model: each names the remedy."""
    with pytest.raises(error, match=words):
        check_labels(rows, **choices)


def test_no_labels_in_a_file(put: Any) -> None:
    """Text without a column of labels names what to do."""
    with pytest.raises(DataError, match="--label"):
        check_labels(put("plain.csv", "text\nsome words\nothers\n"))
