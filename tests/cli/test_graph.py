"""Knowledge graphs from the command: fit, evaluate and predict, and what other verbs say of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Command

Put = Callable[[str, str | bytes], Path]
LINES = "".join(f"e{i}\t+{shift}\te{(i + shift) % 12}\n" for shift in (1, 2, 3, 4) for i in range(12))


@pytest.fixture
def run(command: Command, put: Put) -> Path:
    """A small finished run."""
    ended = command("fit", put("facts.tsv", LINES), "--task", "graph", "--model", "complex:dim=8", "--epochs", 4, "--out", "run")
    assert ended.code == 0, ended.err
    assert "mrr" in ended.out
    assert "held-out facts" in ended.out
    assert "lossworks predict run $'ENTITY\\tRELATION'" in ended.out
    assert "task   graph" in ended.err
    return Path("run").absolute()


def test_whole_run(command: Command, put: Put, run: Path) -> None:
    """Answers to queries given, in files and on stdin, as lines and as JSON; figures on the test part and on other facts."""
    names, *lines = [line.split("\t") for line in command("predict", run, "e1\t+2", "--top", 3).out.splitlines()]
    assert names == ["entity", "probability", "known", "text"]
    assert [line[3] for line in lines] == ["e1 +2"] * 3
    assert {line[2] for line in lines} <= {"yes", "no"}
    queries = put("queries.tsv", "e1\t+2\n?\t+2\te3\n")
    found = command("predict", run, queries, "--json").json
    assert [row["query"] for row in found["predictions"]] == ["e1\t+2", "?\t+2\te3"]
    assert [len(row["answers"]) for row in found["predictions"]] == [10, 10]
    assert command("predict", run, stdin=b"e1\t+2\n").out.count("\n") == 1 + 10
    wrote = command("predict", run, queries, "--out", "a.jsonl", "--top", 2, "--json").json
    assert (wrote["rows"], wrote["columns"]) == (4, ["text", "rank", "entity", "probability", "known"])
    assert command("evaluate", run, "--json").json["metrics"] == command("evaluate", run, "--json").json["metrics"]
    other = command("evaluate", run, put("other.csv", "head,relation,tail\ne1,+2,e3\ne2,+2,e4\n"))
    assert "hits_at_10" in other.out
    assert command("report", run).code == 0


def test_refusals(command: Command, put: Put, run: Path) -> None:
    """Verbs of text say what to do instead; an unknown name is told with its place."""
    for verb in (("explain", run, "a text"), ("score", run, "a text"), ("export", run, "file.onnx")):
        ended = command(*verb)
        assert (ended.code, "lossworks predict" in ended.err) == (2, True), ended.err
    assert "knowledge graph" in command("landscape", run).err
    assert "compare is for models of text" in command("compare", put("facts.tsv", LINES), "--task", "graph", "--loss", "mse").err
    assert "query 1: the entity 'x'" in command("predict", run, "x\t+1").err
    assert "line 2: the entity 'x'" in command("evaluate", run, put("other.tsv", "e1\t+1\te2\nx\t+1\te2\n")).err
    assert "--slices is for texts" in command("evaluate", run, "--slices").err
    fitted = command("fit", put("rows.csv", "text,label\n" + "good,a\nbad,b\n" * 30), "--epochs", 1, "--out", "plain")
    assert fitted.code == 0
    assert "--threshold is for labels" in command("predict", run, "e1\t+1", "--threshold", 0.5).err
    assert "evaluated by itself" in command("evaluate", run, "plain", put("other.tsv", LINES)).err
    assert "--label is for texts" in command("fit", put("facts.tsv", LINES), "--task", "graph", "--label", "x").err


def test_descriptions(command: Command, put: Put) -> None:
    """Fitted beside the facts, with counts; asked about by a description; and the trial, with a verdict in words and as JSON."""
    glosses = put("glosses.tsv", "".join(f"e{i}\tnumber n{i} before n{(i + 1) % 12}\n" for i in range(11)) + "x\tnothing\n")
    fit = ("fit", put("facts.tsv", LINES), "--task", "graph", "--model", "complex:dim=8", "--epochs", 2, "--out", "told")
    ended = command(*fit, "--glosses", glosses)
    assert ended.code == 0, ended.err
    assert "note   1 descriptions are of names in none of the facts, and left out" in ended.err
    assert command("predict", "told", "--json", stdin=b"a number n3\t+2\n").json["predictions"][0]["query"] == "a number n3\t+2"
    assert "no known word" in command("predict", "told", "zebra\t+2").err
    glosses.rename(glosses.with_name("elsewhere.tsv"))
    assert "Give them: --glosses FILE" in command("data", "glosses", "told").err
    found = command("data", "glosses", "told", "--glosses", "elsewhere.tsv", "--json").json
    assert [arm["glosses"] for arm in found["arms"]] == ["as they are", "permuted among the entities", "none"]
    assert found["sentence"] in " ".join(command("data", "glosses", "told", "--glosses", "elsewhere.tsv").out.split())
    bad = (*fit[:-1], "bad", "--glosses", put("bad.tsv", "e1\n"))
    assert "line 1: 'e1' is no description" in command(*bad).err
    assert (
        "--glosses is for models of knowledge graphs" in command("fit", put("r.csv", "text,label\na,b\n"), "--glosses", "x").err
    )
