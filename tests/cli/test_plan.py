"""``lossworks plan``: a table or runs to a forecast, a page and JSON, and what is wrong with what it was given."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from .conftest import Command


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """18 runs of 6 sizes on one data set, with columns of usual names."""
    n, many = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 3e8, 6), [10, 30, 90]))
    loss = 1.8 + 480 / n**0.35 + 2000 / (n * many) ** 0.365
    made = {"N": n, "compute": 6 * n * n * many, "val_loss": loss, "dataset": ["c4"] * 18, "tuned": ["yes"] * 17 + ["no"]}
    pl.DataFrame(made | {"seconds": n * n * many / 1e13}).write_csv(tmp_path / "runs.csv")
    return tmp_path / "runs.csv"


def test_forecast(command: Command, table: Path, tmp_path: Path) -> None:
    """A table gives a sentence, a page and numbers that agree; compute and minutes are divided; a row is flagged."""
    page = tmp_path / "plan.html"
    asked = ["--params", "1e9", "--tokens", "2e10", "--out", page]
    ended = command("plan", table, *asked)
    assert "1e+09 parameters on 2e+10 tokens" in ended.out
    assert "1 of 18 runs have no learning rate searched for (row 18)" in ended.err
    assert "Past forecasts" in page.read_text("utf-8")
    told = command("plan", table, *asked, "--json").json
    assert told["low"] < 1.8 + 480 / 1e9**0.35 + 2000 / 2e10**0.365 < told["high"]
    assert told["cost"]["seconds"] == pytest.approx(6 * 2e19 / 6e13, rel=1e-3)
    best = command("plan", table, "--minutes", "50000", "--out", page, "--json").json["target"]
    assert 6 * best["params"] * best["tokens"] == pytest.approx(6e13 * 60 * 50000, rel=1e-3)
    frame = pl.read_csv(table)
    frame.rename({"N": "weights"}).write_ndjson(tmp_path / "r.jsonl")
    assert command("plan", tmp_path / "r.jsonl", *asked, "--column", "params=weights", "--json").json["loss"] == told["loss"]


def test_refused(command: Command, table: Path, tmp_path: Path) -> None:
    """Each of what is wrong is told with its place and remedy."""
    aim = ["--params", "1e9", "--tokens", "2e10", "--out", tmp_path / "p.html"]
    frame = pl.read_csv(table)
    mixed = frame.with_columns(dataset=pl.Series(["c4", "pile"] * 9))
    mixed.write_parquet(tmp_path / "mixed.parquet")
    frame.with_columns(val_loss=pl.Series([None, *frame["val_loss"][1:]])).write_csv(tmp_path / "gap.csv")
    frame.drop("val_loss").write_csv(tmp_path / "none.csv")
    for arguments, said in (
        ([tmp_path / "mixed.parquet", *aim], "several data sets: c4, pile"),
        ([tmp_path / "mixed.parquet", *aim, "--where", "dataset=c4"], "too few to try forecasts on"),
        ([tmp_path / "gap.csv", *aim], "row 1: loss is missing"),
        ([tmp_path / "none.csv", *aim], "--column loss=COLUMN"),
        ([table, "--params", "1e9"], "in one way"),
        ([table, *aim, "--minutes", "3"], "in one way"),
        ([table, "--params", "1e13", "--tokens", "1e13"], "times as large as the largest run"),
        ([table, *aim, "--law", "chinchila"], "chinchilla"),
        ([tmp_path / "nothing.csv", *aim], "there is no file"),
        ([tmp_path, *aim], "run.json"),
    ):
        ended = command("plan", *arguments)
        assert (ended.code, said in ended.err) == (2, True), ended.err


def test_runs(command: Command, tmp_path: Path) -> None:
    """Run directories are read by their records: weights, tokens, loss; and are flagged, or refused where data differ."""
    folders = []
    for dim in (8, 16, 24, 32):
        for steps in (50, 200, 800):
            config = {"model": f"transformer:layers=1,heads=2,dim={dim},context=16", "tokenizer": "bytes", "lr": None}
            data = {"vocabulary": 256, "tokens": {"train": 1000}, "fingerprint": "a"}
            training = {"passes": steps / 10, "steps": steps, "seconds": 1.0, "stopped": "all steps done", "peak_memory": 2**31}
            metrics = {"nats_per_token": {"value": 1 + 3 / dim**0.5 + 3 / steps**0.3}}
            result = {"training": training, "metrics": metrics}
            run = {"format": 1, "task": "lm", "status": "finished", "config": config, "data": data, "result": result}
            folders.append(tmp_path / f"{dim}-{steps}")
            folders[-1].mkdir()
            (folders[-1] / "run.json").write_text(json.dumps(run | {"machine": {"cores": 2}}), "utf-8")
    asked = ["--params", "40000", "--tokens", "200000", "--unique-tokens", "1000", "--out", tmp_path / "p.html"]
    ended = command("plan", *folders, *asked)
    assert ended.code == 0, ended.err
    assert "about 2 GiB in all" in ended.out
    assert "4 of 12 runs have fewer than 100 steps" in ended.err
    assert "12 of 12 runs have no learning rate searched for" in ended.err
    run["data"]["fingerprint"] = "b"
    (folders[-1] / "run.json").write_text(json.dumps(run), "utf-8")
    assert "several data sets" in command("plan", *folders, *asked).err
