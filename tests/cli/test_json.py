"""``--json``: one JSON object on stdout and nothing else there, whatever happens."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import REVIEWS, SMALL, STARS, TOPICS, Command


def test_fit(command: Command, tmp_path: Path) -> None:
    """Fit gives the whole record with the run's place; progress stays on stderr."""
    ended = command("fit", REVIEWS, "--out", tmp_path / "run", *SMALL, "--json")
    assert ended.code == 0
    assert ended.json["run"] == str(tmp_path / "run")
    assert ended.json["status"] == "finished"
    assert set(ended.json["result"]["metrics"]["nll"]) == {"value", "low", "high"}
    assert "task   classify" in ended.err


def test_verbs(command: Command, fitted: Path) -> None:
    """Every other verb gives one object."""
    said = command("predict", fitted, "I love this product!", "不满意", "--json")
    assert [row["text"] for row in said.json["predictions"]] == ["I love this product!", "不满意"]
    assert command("evaluate", fitted, REVIEWS, "--json").json["rows"] == 656
    assert command("report", fitted, "--json").json == {"reports": [str(fitted / "report.html")]}
    kinds = {"losses", "models", "optimizers", "penalties", "risks", "balances", "schedules", "rules", "tokenizers"}
    assert set(command("list", "--json").json) == kinds
    assert set(command("list", "models", "--json").json) == {"models"}


@pytest.mark.parametrize("data", [TOPICS, STARS])
def test_other_tasks(command: Command, tmp_path: Path, data: Path) -> None:
    """Label sets and numbers come out as JSON too, from fit, predict and evaluate."""
    run = tmp_path / "run"
    task = command("fit", data, "--out", run, *SMALL, "--json", "-q").json["task"]
    row = command("predict", run, "电池鼓包了。", "--json").json["predictions"][0]
    assert isinstance(row["labels"], list) if task == "multilabel" else isinstance(row["value"], float)
    metrics = command("evaluate", run, data, "--json").json["metrics"]
    assert ("micro_f1" if task == "multilabel" else "mse") in metrics


@pytest.mark.parametrize(
    "arguments",
    [
        ("fit", "nothing.csv"),
        ("fit", "nothing.csv", "--epoch", "3"),
        ("fit",),
        ("fit", "nothing.csv", "--epochs", "three"),
        ("fitt", "nothing.csv"),
        ("predict", "nowhere", "text"),
        ("evaluate", "nowhere", "nothing.csv"),
        ("report", "nowhere"),
        ("list", "loses"),
    ],
)
def test_errors(command: Command, arguments: tuple[str, ...]) -> None:
    """An error is an object too, with the message and the exit code; people read the message on stderr."""
    ended = command(*arguments, "--json")
    assert ended.code == 2
    assert ended.json["exit_code"] == 2
    assert ended.json["error"] in ended.err


def test_diverged(command: Command, tmp_path: Path) -> None:
    """Divergence is an object with exit code 3."""
    ended = command("fit", REVIEWS, "--out", tmp_path / "run", *SMALL, "--optimizer", "sgd:lr=1e38", "--json")
    assert (ended.code, ended.json["exit_code"]) == (3, 3)
