"""``lossworks explain``."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import REVIEWS, STARS, TOPICS, Command

TEXT = "A wonderful film, but badly acted."


def test_table_json_and_page(command: Command, fitted: Path, tmp_path: Path) -> None:
    """A table for programs, everything as JSON, and a page; the parts are the text's, and the shares add up."""
    lines = command("explain", fitted, TEXT).out.splitlines()
    assert lines[0].split("\t") == ["text", "part", "first", "last", "share"]
    assert [line.split("\t")[1] for line in lines[1:]] == ["A", "wonderful", "film", ",", "but", "badly", "acted", "."]
    page = tmp_path / "page.html"
    told = command("explain", fitted, TEXT, "", "--html", page, "--json").json
    assert told["page"] == str(page)
    assert "wonderful" in page.read_text("utf-8")
    first, empty = told["explanations"]
    shares = sum(part["share"] for part in first["parts"])
    assert first["value"] == pytest.approx(first["baseline"] + shares + first["residual"])
    assert first["trial"]["word"] in ("trust", "not shown", "do not trust")
    assert empty["parts"] == []
    assert empty["trial"]["word"] == "not shown"


def test_flags(command: Command, fitted: Path) -> None:
    """The quantity, its label, the division and the trial are asked for by flags."""
    flags = ["--quantity", "focal:gamma=3", "--for", "negative", "--by", "char", "--no-trial", "--method", "leave_one_out"]
    (told,) = command("explain", fitted, "bad", *flags, "--json").json["explanations"]
    assert told["quantity"] == "focal:gamma=3.0 of negative"
    assert told["method"] == "leave_one_out"
    assert told["trial"] is None
    assert [part["text"] for part in told["parts"]] == ["b", "a", "d"]
    for flags, said in (
        (["--for", "maybe"], "knows no label 'maybe'"),
        (["--by", "letter"], "unknown division"),
        (["--method", "shap"], "unknown method"),
        (["--part", "1"], "--part is for language models"),
        (["--by", "token"], "hashed n-grams"),
    ):
        ended = command("explain", fitted, "bad", *flags)
        assert ended.code == 2
        assert said in ended.err


def test_other_tasks(command: Command, tmp_path: Path) -> None:
    """Sets of labels and numbers."""
    small = ["--model", "linear:bits=12,chars=3", "--epochs", "2", "--quiet"]
    assert command("fit", STARS, "--out", tmp_path / "stars", *small).code == 0
    (told,) = command("explain", tmp_path / "stars", "a good one", "--json").json["explanations"]
    assert told["quantity"] == "predicted number"
    (told,) = command("explain", tmp_path / "stars", "a good one", "--quantity", "mse", "--for", "4", "--json").json[
        "explanations"
    ]
    assert told["quantity"] == "mse of 4.0"
    assert command("fit", TOPICS, "--out", tmp_path / "topics", *small).code == 0
    label = command("predict", tmp_path / "topics", "x", "--json").json["predictions"][0]["probabilities"]
    names = ",".join(list(label)[:2])
    arguments = ["explain", tmp_path / "topics", "a good one", "--quantity", "cross_entropy", "--for", names, "--json"]
    (told,) = command(*arguments).json["explanations"]
    assert told["quantity"].startswith("cross_entropy of ('")


def test_data_set(command: Command, fitted: Path, tmp_path: Path) -> None:
    """A data set as a whole: what matters for each label, one verdict, a page; single texts have no place beside it."""
    page = tmp_path / "page.html"
    told = command("explain", fitted, "--data", REVIEWS, "--limit", "12", "--html", page, "--json", "--quiet").json
    assert told["explained"] == 12
    assert told["trial"]["word"] in ("trust", "not shown", "do not trust")
    assert {group["quantity"] for group in told["parts"]} <= {
        "logit of positive less that of negative",
        "logit of negative less that of positive",
    }
    assert "What raises it most" in page.read_text("utf-8")
    assert "raises it" in command("explain", fitted, "--data", REVIEWS, "--limit", "12", "--quiet").out
    assert "Give one of them" in command("explain", fitted, "a text", "--data", REVIEWS).err
    assert "Give one of them" in command("explain", fitted, "a text", "--learning").err


def test_rows_and_learning(command: Command, fitted: Path, tmp_path: Path) -> None:
    """Which training rows raised a loss, and when rows were learned, from the command."""
    assert command("fit", REVIEWS, "--out", tmp_path / "counted", "--model", "ngram:order=1", "--quiet").code == 0
    told = command("explain", tmp_path / "counted", "a lovely book", "--rows", "--for", "negative", "--json").json["texts"]
    assert told[0]["label"] == "negative"
    assert len(told[0]["raised"]) == 10
    assert "raised by" in command("explain", tmp_path / "counted", "a lovely book", "--rows").out
    ended = command("explain", fitted, "a lovely book", "--rows", "--for", "negative")
    assert "loss as negative" in ended.out
    assert "raised by" in ended.out
    assert "reviews.csv, line " in ended.out
    assert "exact by training again without each row named" in " ".join(ended.out.split())
    told = command("explain", fitted, "a lovely book", "--rows", "--json").json["texts"]
    assert told[0]["agreement"] > 0.9
    learned = command("explain", fitted, "--learning", "--json", "--quiet").json
    assert learned["exact"]
    assert Path(learned["page"]).exists()


def test_learning_of_held_out_files(command: Command, tmp_path: Path) -> None:
    """Rows held out in files that have moved since are given by the flags that the error names."""
    lines = REVIEWS.read_text("utf-8").splitlines(keepends=True)
    for name, part in (("train", lines[21:]), ("valid", lines[1:11]), ("test", lines[11:21])):
        (tmp_path / f"{name}.csv").write_text(lines[0] + "".join(part), "utf-8")
    parts = ["--valid", tmp_path / "valid.csv", "--test", tmp_path / "test.csv"]
    run = tmp_path / "run"
    assert command("fit", tmp_path / "train.csv", *parts, "--out", run, "--epochs", "2", "--quiet").code == 0
    for name in ("valid", "test"):
        (tmp_path / f"{name}.csv").rename(tmp_path / f"old-{name}.csv")
    assert "--valid FILE" in command("explain", run, "--learning", "--quiet").err
    moved = ["--valid", tmp_path / "old-valid.csv", "--test", tmp_path / "old-test.csv"]
    assert command("explain", run, "--learning", *moved, "--json", "--quiet").json["exact"]
    assert "are for --rows and --learning" in command("explain", run, "a text", *moved[:2]).err
