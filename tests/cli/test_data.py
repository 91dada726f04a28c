"""``lossworks data check``: doubles, leaks, conflicts; with ``--labels`` the page, the rows, the hand check; what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from .conftest import STARS, TOPICS, Command, csv_of, reviews

BAYES = ["--model", "ngram:order=1,smoothing=additive,delta=0.3", "--sample", "20"]
LINEAR = ["--model", "linear:bits=12,chars=0", "--sample", "20", "--folds", "2"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Reviews of which two carry the wrong label."""
    rows = [(text, {"good": "bad", "bad": "good"}[label] if i in (4, 9) else label) for i, (text, label) in enumerate(reviews())]
    path = tmp_path / "reviews.csv"
    path.write_text(csv_of(rows), "utf-8")
    return path


def page_of(path: Path) -> dict[str, Any]:
    """What a page holds for the hand check."""
    found = re.search(r'id="check">(.*?)</script>', path.read_text("utf-8"), re.S)
    assert found
    value = json.loads(found[1])
    assert isinstance(value, dict)
    return value


def test_from_the_ranking_to_the_count(command: Command, data: Path, tmp_path: Path) -> None:
    """The doubtful rows are shown, a page and all rows are written; with the page's answers the errors are counted."""
    first = command("data", "check", data, "--labels", *BAYES, "--out", tmp_path / "rows.csv")
    assert first.code == 0
    shown = first.out.split("\n")
    assert sorted(re.search(r"line (\d+)", line)[1] for line in (shown[1], shown[3])) == ["11", "6"]  # type: ignore[index]
    assert "A model's doubt is no count of errors" in first.out
    assert "--checked answers.json" in first.out
    assert len((tmp_path / "rows.csv").read_text("utf-8").split("\n")) == 62
    asked = page_of(tmp_path / "reviews-labels.html")
    assert len(asked["rows"]) == 20
    assert not {"answer", "loss"} & set(asked["rows"][0])
    said = ["wrong" if re.search(r"line (11|6)$", row["row"]) else "right" for row in asked["rows"]]
    rows = [{"place": row["place"], "answer": answer} for row, answer in zip(asked["rows"], said, strict=True)]
    answers = {"kind": "lossworks hand check of labels", "check": asked["check"], "answers": rows}
    (tmp_path / "answers.json").write_text(json.dumps(answers), "utf-8")
    counted = command("data", "check", data, "--labels", *BAYES, "--checked", tmp_path / "answers.json", "--html", "c.html")
    assert re.search(r"About \d+ of 60 labels are wrong \(95 % interval \d+ to \d+", counted.out)
    assert "Of the first 60 rows" in counted.out
    assert "of 60 labels are wrong" in (tmp_path / "c.html").read_text("utf-8")
    value = command("data", "check", data, "--labels", *BAYES, "--checked", tmp_path / "answers.json", "--json").json
    assert value["estimate"]["wrong"] == said.count("wrong")
    assert value["page"] == "reviews-labels.html"


@pytest.mark.parametrize(("source", "task", "word"), [(TOPICS, "multilabel", "may be "), (STARS, "regress", "the models say ")])
def test_sets_and_numbers(command: Command, source: Path, task: str, word: str) -> None:
    """Sets of labels name the one in doubt, numbers what the models say."""
    ended = command("data", "check", source, "--labels", *LINEAR, "--quiet")
    assert ended.code == 0
    assert ended.out.count(word) == 10
    value = command("data", "check", source, "--labels", *LINEAR, "--json").json
    assert value["task"] == task
    assert len(value["ranked"]) == 100


def test_stdin_and_hostile_texts(command: Command, tmp_path: Path) -> None:
    """Text on stdin has a page too; what moves a terminal's cursor is spelled out, and markup stays text."""
    rows = [(f"\x1b[2J</script><b>{text}", label) for text, label in reviews(30)]
    ended = command("data", "check", "-", "--labels", *BAYES, stdin=csv_of(rows).encode())
    assert ended.code == 0
    assert "\x1b" not in ended.out
    assert "\\x1b[2J</script>" in ended.out
    page = (tmp_path / "stdin-labels.html").read_text("utf-8")
    assert "</script><b>" not in page
    assert page_of(tmp_path / "stdin-labels.html")["rows"][0]["text"].startswith("\x1b[2J</script><b>a ")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--out", "rows.csv"], "--out is for the check of labels. Add --labels"),
        (["--labels", "--against", "reviews.csv"], "--against is for the check of the data itself"),
        (["--near", "0.2"], "wanted 0.6 to 1"),
        (["--against", "none.csv"], "none.csv"),
        (["--labels", "--out", "rows.xlsx"], "wanted a file that ends in .csv, .jsonl or .parquet"),
        (["--labels", "--checked", "none.json"], "there is no file none.json"),
        (["--labels", "--folds", "1"], "folds is 1"),
        (["--labels", "--label", "tag"], "tag"),
        (["--labels", "--model", "ngram:order=0"], "order is 0"),
    ],
)
def test_what_is_refused(command: Command, data: Path, flags: list[str], words: str) -> None:
    """Before any training, with the remedy, as exit code 2; nothing is written."""
    ended = command("data", "check", data, *flags)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert not list(data.parent.glob("*.html"))


def test_worth(command: Command, tmp_path: Path) -> None:
    """How many gold labels a class a run is worth, in words and as JSON, with what was tried."""
    rows = reviews(80)
    for name, part in (("train.csv", rows[:20]), ("pool.csv", [*rows[20:50], *rows[50:52]]), ("test.csv", rows[50:])):
        (tmp_path / name).write_text(csv_of(part), "utf-8")
    assert command("fit", "train.csv", "--out", "run", "--model", "linear:bits=12,chars=0", "--quiet").code == 0
    call = ("data", "worth", "run", "pool.csv", "--test", "test.csv", "--draws", "2")
    told = command(*call)
    assert told.code == 0
    first, second, *points, last = told.out.strip().split("\n")
    assert re.fullmatch(r"This model is worth .* gold labels a class \(.*\)\.", first)
    assert "accuracy on 30 test rows" in second
    assert "drawn 2 times from 30 rows" in second
    assert all(re.match(r" +\d+  accuracy [01]\.\d{3}  difference [+-]0\.\d{3} \(95 % interval ", point) for point in points)
    assert last == "Left out: 2 rows whose text is a test row's."
    found = command(*call, "--model", BAYES[1], "--json").json
    assert found["did"]["model"] == BAYES[1]
    assert {"value", "low", "high", "accuracy", "points", "sentence"} <= set(found)
    refused = command(*call[:-1], "1")
    assert refused.code == 2
    assert "draws is 1" in refused.err


def test_data_itself(command: Command, tmp_path: Path) -> None:
    """Doubles, leaks and conflicting labels with their pairs, in words, as JSON and on the page; personal data is never shown."""
    long = "a sentence of quite ordinary length, about the boats in the harbour of {} and their owners"
    rows = [(long.format("Genoa"), "a"), (long.format("Genua"), "a"), ("mail <me@home.org>", "a"), ("mail <me@home.org> ", "b")]
    (tmp_path / "data.csv").write_text(
        csv_of([*rows, ("e\u0301t\u00c3\u00a9", "b"), ("春眠不覺曉", "c"), ("春眠不覺曉", "c")]), "utf-8"
    )
    (tmp_path / "test.jsonl").write_text(
        json.dumps({"text": long.format("GENOA!"), "label": "b"}) + "\n" + '{"text": "new"}', "utf-8"
    )
    ended = command("data", "check", "data.csv", "--against", "test.jsonl")
    assert ended.code == 0
    assert "of 2 texts of test.jsonl the data holds 1 (0 word for word, 1 nearly), on 2 rows." in ended.out
    assert "1 text with different labels, on 2 rows." in ended.out
    assert "Doubles of earlier texts: 2 word for word, 1 nearly." in ended.out
    page = (tmp_path / "data-check.html").read_text("utf-8")
    assert "mail &lt;[email]&gt;" in page
    assert "me@home" not in page + ended.out
    value = command("data", "check", "data.csv", "--against", "test.jsonl", "--json").json
    assert [(pair["of"], pair["exact"]) for pair in value["doubles"]["shown"]] == [
        ("data.csv, line 4", True),
        ("data.csv, line 7", True),
        ("data.csv, line 2", False),
    ]
    assert [(pair["row"], pair["likeness"]) for pair in value["against"][0]["shown"]] == [("test.jsonl, line 1", 1.0)]
    assert value["conflicts"]["shown"][0]["labels"] == {"a": 1, "b": 1}
    assert (value["spelling"]["nfc"], value["spelling"]["misread"], value["personal"]["email"]) == (1, 1, 2)
    assert {row["script"]: row["texts"] for row in value["scripts"]} == {"Latn": 5, "Hani": 2}
    (tmp_path / "plain.txt").write_text("春眠不覺曉\n\n春眠不覺曉\nhi\n", "utf-8")
    assert "1 word for word" in command("data", "check", "plain.txt").out
