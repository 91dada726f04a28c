"""What a run leaves opens in one line of Polars or pandas, and by ``lossworks.load_run``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import lossworks
from lossworks.core.errors import RecordError

ROWS = [(f"a {('lovely', 'awful')[i % 2]} thing, number {i}", ("good", "bad")[i % 2]) for i in range(60)]
SMALL: dict[str, Any] = {"model": "linear:bits=10", "epochs": 3}


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small finished run."""
    out = tmp_path_factory.mktemp("fitted") / "run"
    lossworks.fit(ROWS, out=out, patience=3, **SMALL)
    return out


def test_log(fitted: Path) -> None:
    """The log is a table with a row for every event, a column for every field, none of them lost."""
    table = pl.read_ndjson(fitted / "log.jsonl", infer_schema_length=None)
    events = lossworks.load_run(fitted).events()
    assert table["event"].to_list() == [event["event"] for event in events]
    assert (
        {"step", "epoch", "loss", "lr", "nll", "accuracy"} <= {name for event in events for name in event} == set(table.columns)
    )
    valid = table.filter(pl.col("event") == "valid")
    assert valid["nll"].to_list() == [event["nll"] for event in events if event["event"] == "valid"]
    assert valid["epoch"].to_list() == [1, 2, 3]


def test_log_in_pandas(fitted: Path) -> None:
    """The same in pandas."""
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    table = pandas.read_json(fitted / "log.jsonl", lines=True)
    assert list(table["event"]) == [event["event"] for event in lossworks.load_run(fitted).events()]


def test_load_run(fitted: Path, tmp_path: Path) -> None:
    """A run's record and events by its path; what is no run is refused."""
    run = lossworks.load_run(fitted)
    assert run.summary["status"] == "finished"
    assert run.summary["result"]["metrics"] == lossworks.load(fitted).metrics
    assert [event["event"] for event in run.events()][-1] == "end"
    assert lossworks.load_run(str(fitted)).path == fitted
    with pytest.raises(RecordError, match="no run directory"):
        lossworks.load_run(tmp_path / "nowhere")


def test_results(tmp_path: Path) -> None:
    """A comparison's trainings are a table with a row for each, and so is its log; ``load_run`` opens it too."""
    found = lossworks.compare(ROWS, loss=["cross_entropy", "mse"], trials=2, seeds=2, out=tmp_path / "run", **SMALL)
    table = pl.read_parquet(tmp_path / "run/results.parquet")
    assert table.group_by("arm", "stage").len()["len"].to_list() == [2] * 4
    assert table.equals(found.trainings)
    log = pl.read_ndjson(tmp_path / "run/log.jsonl", infer_schema_length=None).filter(pl.col("event") == "training")
    runs = log.filter(pl.col("stage") == "run").sort("arm", "number")
    assert runs["score"].to_list() == table.filter(pl.col("stage") == "run").sort("arm", "number")["test_nll"].to_list()
    assert lossworks.load_run(tmp_path / "run").summary["result"]["arms"][0]["name"] == "cross_entropy"
