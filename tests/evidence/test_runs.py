"""Trainings killed, gone on with, shared among processes and machines: each is done once, and the end is the same."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import lossworks
from clocks import WoundClock
from lossworks.core.errors import RecordError, UsageError
from lossworks.engine import Callbacks
from lossworks.evidence.store import FORMAT
from lossworks.record import Run

from .postgresql import serving

ROOT = Path(__file__).parents[2]
FLAGS = [
    str(ROOT / "src/lossworks/data/reviews.csv"), "--loss", "cross_entropy", "--loss", "mse", "--model", "linear:bits=12,chars=3",
    "--epochs", "3", "--seeds", "3", "--trials", "3",
]  # fmt: skip
ASKED: dict[str, Any] = {
    "loss": ["cross_entropy", "mse"], "model": ["linear:bits=12,chars=3"], "epochs": 3, "seeds": 3, "trials": 3,
}  # fmt: skip
"""The same as arguments: in this process, which has loaded everything already."""
TRAININGS = 2 * (3 + 3)


def begun(folder: Path, *flags: str) -> subprocess.Popen[bytes]:
    """The command in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "lossworks", "compare", *FLAGS, "--quiet", *flags]
    with (folder / "said.txt").open("w") as said:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=said)


def ended(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Wait for it to end well."""
    assert process.wait(100) == 0, (folder / "said.txt").read_text()


def noted(run: Path) -> list[tuple[str, str, int]]:
    """The trainings in the log."""
    return [(event["stage"], event["arm"], event["number"]) for event in Run(run).events() if event["event"] == "training"]


def figures(run: Path) -> list[tuple[Any, ...]]:
    """What every training ended in, but for the time it took."""
    table = pl.read_parquet(run / "results.parquet")
    return table.select("stage", "arm", "number", "seed", "lr", "validation", "test_nll", "curve_validation").rows()


def ahead(run: Path) -> bool:
    """Whether two trainings are done."""
    return (run / "log.jsonl").exists() and len(noted(run)) >= 2


def waited(condition: Any, seconds: float = 60) -> None:
    """Until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing came in time"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed comparison."""
    run = tmp_path_factory.mktemp("whole") / "run"
    lossworks.compare(FLAGS[0], out=run, **ASKED)
    return run


def test_scores_on_the_way(whole: Path) -> None:
    """The curve is of what trials are judged by, calibrated probabilities of the same rows, and ends in it, whatever the loss."""
    table = pl.read_parquet(whole / "results.parquet")
    assert [curve[-1] for curve in table["curve_validation"]] == pytest.approx(table["validation"].to_list())


def test_killed_and_resumed(whole: Path, tmp_path: Path) -> None:
    """Killed with SIGKILL partway through, two processes at work, it is resumed where it was: no finished training is done again,
    the workers are gone with it, and it ends in the same metrics as one of one process that was never killed.
    """
    run = tmp_path / "run"
    process = begun(tmp_path, "--out", "run", "--jobs", "2")
    waited(lambda: (run / "log.jsonl").exists() and len(noted(run)) >= 4)
    workers = _children(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(workers) >= 2
    waited(lambda: not any(_alive(worker) for worker in workers))
    before = noted(run)
    assert json.loads((run / "run.json").read_text())["status"] == "running"
    assert len(before) < TRAININGS
    lossworks.compare(FLAGS[0], out=run, resume=True, **ASKED)
    again = Counter(noted(run))
    assert max(again.values()) == 1
    assert set(before) <= set(again)
    assert figures(run) == figures(whole)
    verdicts = [lossworks.Comparison.load(path).verdicts for path in (run, whole)]
    assert verdicts[0] == verdicts[1]


def test_minutes(whole: Path, tmp_path: Path) -> None:
    """A part of the work that has no time left begins nothing; the next goes on, and there is no verdict on too few seeds."""
    asked = {**ASKED, "out": tmp_path / "run"}
    found = lossworks.compare(FLAGS[0], minutes=0, resume=True, **asked)
    assert found.record["status"] == "stopped"
    assert found.verdicts["mse"]["word"] == "not enough to say"
    assert (tmp_path / "run/report.html").exists()
    finished = lossworks.compare(FLAGS[0], resume=True, **asked)
    assert finished.verdicts == lossworks.Comparison.load(whole).verdicts
    with pytest.raises(UsageError, match="is finished; there is nothing to resume"):
        lossworks.compare(FLAGS[0], resume=True, **asked)


def test_time_that_is_too_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit into the minutes is refused before anything is begun, with what does: seeds are given up last."""
    monkeypatch.setattr("lossworks.evidence.plan._seconds", lambda *of: (10.0, 2.0))
    asked: dict[str, Any] = {**ASKED, "seeds": 8, "trials": 12, "epochs": 5, "out": tmp_path / "run"}
    clock = WoundClock()
    trained = Callbacks(clock=clock, watch=lambda event, fields: clock.pass_by(10.0) if event == "training" else None)
    for minutes, said in (
        (5, "40 trainings take about 6 min 40 s, and --minutes 5 leaves 5 min for them. What fits: --trials 5, or --minutes"),
        (3, "What fits: --trials 3 --epochs 3, or --minutes 8."),
        (1, "What fits: --trials 3 --epochs 1 --seeds 4, or --minutes 8."),
        (0.1, "What fits: --minutes 8."),
    ):
        with pytest.raises(UsageError, match=re.escape(said)):
            lossworks.compare(FLAGS[0], **asked, minutes=minutes, callbacks=trained)
        assert not (tmp_path / "run").exists()
    found = lossworks.compare(FLAGS[0], **asked | {"trials": 3, "seeds": 2, "epochs": 1}, minutes=2, callbacks=trained)
    assert found.record["status"] == "finished"


def test_time_that_runs_out(tmp_path: Path) -> None:
    """By the clock that is given no training is begun after the minutes, and what was done by then stays."""
    clock = WoundClock()
    wound = Callbacks(clock=clock, watch=lambda event, fields: clock.pass_by(25.0) if event == "training" else None)
    found = lossworks.compare(FLAGS[0], **ASKED, minutes=3, callbacks=wound, out=tmp_path / "run")
    assert found.record["status"] == "stopped"
    assert len(noted(tmp_path / "run")) == 8
    assert clock() == 8 * 25.0


def test_resumed_with_something_changed(tmp_path: Path) -> None:
    """More seeds after a look, other arms, other data: each is refused and named."""
    asked: dict[str, Any] = {"loss": ["cross_entropy", "mse"], "model": "linear:bits=10", "seeds": 2, "out": tmp_path / "run"}
    lossworks.compare(FLAGS[0], minutes=0, resume=True, **asked)
    for change, said in (
        ({"seeds": 9}, "seeds was 2 and is now 9"),
        ({"loss": ["mse", "focal"]}, "arms was"),
        ({"epochs": 9}, "common was"),
        ({"metric": "accuracy"}, "metric was None and is now 'accuracy'"),
    ):
        with pytest.raises(UsageError, match=said):
            lossworks.compare(FLAGS[0], resume=True, **asked | change)
    rows = [(f"a {('lovely', 'awful')[i % 2]} thing {i}", ("good", "bad")[i % 2]) for i in range(60)]
    with pytest.raises(UsageError, match="the data is not what it was"):
        lossworks.compare(rows, resume=True, **asked)


def test_resumed_with_another_margin(tmp_path: Path) -> None:
    """A margin that is set after a look at the differences is refused, as is one that is changed or dropped."""
    asked: dict[str, Any] = {
        "loss": ["cross_entropy", "mse"],
        "model": "linear:bits=10",
        "seeds": 2,
        "minutes": 0,
        "resume": True,
    }
    lossworks.compare(FLAGS[0], out=tmp_path / "without", **asked)
    with pytest.raises(UsageError, match=r"margin was None and is now 0\.1"):
        lossworks.compare(FLAGS[0], out=tmp_path / "without", **asked, margin=0.1)
    lossworks.compare(FLAGS[0], out=tmp_path / "with", **asked, margin=0.1)
    for margin in (0.2, None):
        with pytest.raises(UsageError, match=rf"margin was 0\.1 and is now {margin}"):
            lossworks.compare(FLAGS[0], out=tmp_path / "with", **asked, margin=margin)


def test_records_of_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A storage whose trainings another version wrote is named, and so is a damaged one."""
    asked: dict[str, Any] = {"loss": ["cross_entropy", "mse"], "model": "linear:bits=10", "seeds": 2, "out": tmp_path / "run"}
    lossworks.compare(FLAGS[0], minutes=0, resume=True, **asked)
    with monkeypatch.context() as patch:
        patch.setattr("lossworks.evidence.store.FORMAT", FORMAT + 1)
        with pytest.raises(RecordError, match=f"records of format {FORMAT} .*reads format {FORMAT + 1}"):
            lossworks.compare(FLAGS[0], resume=True, **asked)
    (tmp_path / "run/trials.db").write_bytes(b"no database" * 100)
    with pytest.raises(RecordError, match="the storage of the trainings cannot be used"):
        lossworks.compare(FLAGS[0], resume=True, **asked)


def test_storage_out_of_reach(tmp_path: Path) -> None:
    """A database that does not answer, and an address of another kind."""
    asked: dict[str, Any] = {"loss": ["cross_entropy", "mse"], "model": "linear:bits=10", "out": tmp_path / "run"}
    with pytest.raises(RecordError, match=r"the storage of the trainings cannot be used: .*Check --storage"):
        lossworks.compare(FLAGS[0], storage="postgresql://nobody@127.0.0.1:1/none?connect_timeout=2", **asked)
    assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match=r"'mysql://there': wanted postgresql://"):
        lossworks.compare(FLAGS[0], storage="mysql://there", **asked)


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    """A PostgreSQL of the test's own."""
    with serving() as address:
        yield address


def test_machines_share(whole: Path, tmp_path: Path, storage: str) -> None:
    """Two machines (directories that share nothing but the database) divide the trainings: each is done once, one that is killed
    leaves no lock behind, and both end with the whole.
    """
    folders = [tmp_path / "one", tmp_path / "two"]
    processes = []
    for folder in folders:
        folder.mkdir()
        processes.append(begun(folder, "--out", "run", "--storage", storage))
    waited(lambda: any(ahead(folder / "run") for folder in folders))  # which of them has begun first is the machine's affair
    first = 0 if ahead(folders[0] / "run") else 1
    os.kill(processes[first].pid, signal.SIGKILL)
    processes[first].wait()
    ended(processes[1 - first], folders[1 - first])
    done = [noted(folder / "run") for folder in folders]
    assert max(Counter([*done[0], *done[1]]).values()) == 1
    assert TRAININGS - 1 <= len(done[0]) + len(done[1]) <= TRAININGS  # the killed one may have kept one without noting it
    assert done[0]
    assert done[1]
    lossworks.compare(FLAGS[0], out=folders[first] / "run", storage=storage, resume=True, **ASKED)
    assert figures(folders[0] / "run") == figures(folders[1] / "run") == figures(whole)


def _children(parent: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    except OSError:
        return []


def _alive(process: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except OSError:
        return False
