"""What stands in a terminal of any width: no figure broken, no line too long, nothing lost."""

from __future__ import annotations

import json

import pytest
from rich.cells import cell_len

from lossworks.cli import listing, tables
from lossworks.cli.progress import Watcher

FIGURES = ["0.8939", "0.7969 to 0.9477", "0.5000", "0.3326"]


@pytest.mark.parametrize("width", [200, 80, 60, 40])
def test_tables(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """Headings break before figures do, and where that is not enough, a row is a list; every figure and heading is there."""
    monkeypatch.setenv("COLUMNS", str(width))
    metric = {"value": 0.8939, "low": 0.7969, "high": 0.9477}
    baseline = {"name": "majority class 'negative'", "metrics": {"accuracy": {"value": 0.5}}}
    result = {"metrics": {"accuracy": metric}, "baseline": baseline, "uncalibrated": {"accuracy": {"value": 0.3326}}}
    tables.print_whole(tables.metrics_table(result, "Held out"))
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines())) <= width
    for part in ["Held out", "accuracy", *FIGURES, "majority", "class", "'negative'", "before", "scaling", "95 %"]:
        assert told.count(part) == 1, part
    assert ("\n  95 % interval: 0.7969 to 0.9477\n" in told) == (width == 40)
    assert (len(told.splitlines()) == 3) == (width >= 80)


PROSE = "    No difference shown: 电影 \u4e2d\u6587 +0.0032 nats, with 2 seeds and 66 rows; a better one may lie beyond these."
SHELL = "Next:  lossworks compare reviews.csv --loss cross_entropy --loss focal:gamma=2 --seeds 16 --out 'a very long name'"


@pytest.mark.parametrize("width", [200, 60, 31])
def test_prose(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """It breaks between words and keeps its indent; a command stays in one line, and what is piped is left alone."""
    monkeypatch.setenv("COLUMNS", str(width))
    tables.console().print(f"{PROSE}\n\n{SHELL}\n")
    tables.say(PROSE.strip(), "yellow")
    told = capsys.readouterr()
    *lines, blank, shell, end = told.out.splitlines()
    assert (blank, shell, end) == ("", SHELL, "")
    assert all(line.startswith("    ") and cell_len(line) <= width for line in lines)
    assert len(lines) > 1 or width == 200
    assert " ".join(line.strip() for line in lines) == PROSE.strip()
    assert told.err.split() == PROSE.split()
    assert max(map(cell_len, told.err.splitlines())) <= width
    monkeypatch.delenv("COLUMNS")
    tables.console().print(PROSE)
    assert capsys.readouterr().out == f"{PROSE}\n"


@pytest.mark.parametrize("width", [140, 60])
def test_lists(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """Every name of every kind stands apart from what follows it, in lines that fit; no word is lost."""
    monkeypatch.setenv("COLUMNS", str(width))
    for kind in ("losses", "optimizers", "risks"):
        listing.command(kind, json=True)
        members = json.loads(capsys.readouterr().out)[kind]
        listing.command(kind)
        told = capsys.readouterr().out
        assert [line for line in told.splitlines() if len(line) > width and " " in line.strip()] == []
        told = " ".join(line if len(line) - len(line.lstrip()) != 2 else "\n" + line.strip() for line in told.splitlines()) + "\n"
        rows = {name: rest for name, *rest in map(str.split, told.split("\n")[1:-1])}
        for member in members:
            assert [*member["summary"].split()] == rows[member["name"]][: len(member["summary"].split())]
            assert f"[{member['source']}]" in " ".join(rows[member["name"]])


def test_counts_on_the_way(capsys: pytest.CaptureFixture[str]) -> None:
    """Large counts have all their digits, epochs three; pieces of one text are no rows, and one thing is no plural."""
    text = {"config": {"model": "ngram", "document_unit": "file"}, "parts": {"train": 1, "valid": 1, "test": 1}, "rows": 3}
    text |= {"source": "it", "reason": "lm", "text_column": None, "label_column": None, "leaked": {}, "skipped": 0, "bad": []}
    row = text | {"config": {"model": "ngram"}, "rows": 1, "skipped": 1, "bad": ["line 7: the text is empty"]}
    step = {"epoch": 2.3456, "examples_per_second": 1, "loss": 1.0}
    for event, fields, told in (
        ("rows", {"rows": 15_240, "of": 24_060.4}, "reading 15,240 of 24,060 rows"),
        ("rows", {"rows": 15_240, "of": None}, "reading 15,240 rows\n"),
        ("read", {"rows": 15_240, "of": 24_060}, "reading 15,240 of 24,060\n"),
        ("train", step, "training 2.35 of 1 epochs "),
        ("data", text, "it: 3 pieces (1 train, 1 valid, 1 test)"),
        ("data", row, "it: 1 row (1 train, 1 valid, 1 test)"),
        ("data", row, "1 bad row left out, the first: line 7: the text is empty"),
    ):
        watcher = Watcher(False)
        watcher._told = -1e9  # a line is due
        watcher(event, fields)
        assert told in capsys.readouterr().err
