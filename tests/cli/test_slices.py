"""``lossworks evaluate --slices``: a table, JSON, a page, and what is wrong with what it was given."""

from __future__ import annotations

from pathlib import Path

from .conftest import REVIEWS, SMALL, Command, csv_of, reviews


def test_one_run(command: Command, fitted: Path, tmp_path: Path) -> None:
    """The verdict and the slices that differ under the figures; with --json all of them; with --html a page too."""
    rows = [(text, label if "fine" not in text else "bad") for text, label in reviews(400)]
    (tmp_path / "rows.csv").write_text(csv_of([(text, {"good": "positive", "bad": "negative"}[label]) for text, label in rows]))
    ended = command("evaluate", fitted, tmp_path / "rows.csv", "--slices", "--html", tmp_path / "s.html")
    assert ended.code == 0, ended.err
    assert "accuracy" in ended.out
    assert "Slices, in nats" in ended.out
    assert "word 'fine'" in ended.out
    assert "Not tested, with fewer than 20 texts inside or outside" in ended.out
    told = command("evaluate", fitted, tmp_path / "rows.csv", "--slices", "--json").json["slices"]
    assert told["tables"][0]["verdict"] in ended.out
    assert told["tables"][0]["verdict"].replace("'", "&#39;") in (tmp_path / "s.html").read_text("utf-8")
    assert "Slices" not in command("evaluate", fitted, tmp_path / "rows.csv").out


def test_two_runs(command: Command, fitted: Path, tmp_path: Path) -> None:
    """The difference of the second from the first, and that both are single models."""
    assert command("fit", REVIEWS, "--out", tmp_path / "other", *SMALL, "--seed", "3", "--epochs", "1", "--quiet").code == 0
    ended = command("evaluate", fitted, tmp_path / "other", REVIEWS, "--slices")
    assert ended.code == 0, ended.err
    assert f"Slices of {tmp_path / 'other'}, its difference from {fitted}, in nats" in ended.out
    assert "On all rows" in ended.out
    assert "with another seed they may differ on other slices" in ended.out
    assert "predicted labels: each model has its own" in ended.out


def test_wrong(command: Command, fitted: Path, tmp_path: Path) -> None:
    """A page without slices, and too few texts: errors that say what to do."""
    assert "Say --slices too" in command("evaluate", fitted, REVIEWS, "--html", tmp_path / "s.html").err
    (tmp_path / "few.csv").write_text("text,label\nfine,positive\npoor,negative\n")
    ended = command("evaluate", fitted, tmp_path / "few.csv", "--slices")
    assert (ended.code, "leave --slices out" in ended.err) == (2, True)
