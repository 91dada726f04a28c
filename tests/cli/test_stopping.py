"""How a fit ends early: divergence, signals, and going on with --resume."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lossworks
from lossworks.cli.progress import Watcher

from .conftest import REVIEWS, SMALL, STARS, Command, reviews

Put = Callable[[str, str | bytes], Path]
DIVERGING = [
    (REVIEWS, ["--optimizer", "sgd:lr=1e38"]),
    (REVIEWS, ["--optimizer", "gradient_descent:lr=1e38"]),
    (REVIEWS, ["--optimizer", "adam:lr=1e36", "--model", "bag:dim=4,bits=12"]),
    (STARS, ["--optimizer", "sgd:lr=1e30", "--loss", "mse"]),
    (STARS, ["--optimizer", "sgd:lr=1e30", "--loss", "log_likelihood"]),
]


@pytest.mark.parametrize(("data", "flags"), DIVERGING)
def test_diverged(command: Command, data: Path, flags: list[str]) -> None:
    """A loss that is not finite ends the run with exit code 3; the record and the report say so, and no model is left."""
    ended = command("fit", data, *SMALL, "--epochs", "50", *flags, "--out", "run")
    assert ended.code == 3, ended.err
    record = json.loads(Path("run/run.json").read_text())
    assert record["status"] == "diverged"
    assert record["error"] in ended.err
    assert "Try a lower --lr" in ended.err
    if "adam:lr=1e36" not in flags:
        assert f"first at {data}, line " in ended.err
        assert "The weights were not updated with it." in ended.err
    assert "diverged" in Path("run/report.html").read_text("utf-8")
    assert not Path("run/model.safetensors").exists()
    assert "result" not in record


def _sending(monkeypatch: pytest.MonkeyPatch, number: int, when: str, times: int = 1) -> None:
    """Let this process send itself a signal at the first ``when`` event."""
    shown = Watcher.__call__
    left = [times]

    def watch(self: Watcher, event: str, fields: dict[str, Any]) -> None:
        shown(self, event, fields)
        while event == when and left[0]:
            left[0] -= 1
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Watcher, "__call__", watch)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_and_resumed(command: Command, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Ctrl-C or SIGTERM leaves a checkpoint and exit code 130; --resume ends where an undisturbed run does."""
    call = ("fit", REVIEWS, *SMALL, "--epochs", "4", "-q", "--out")
    assert command(*call, "whole").code == 0
    with monkeypatch.context() as patch:
        _sending(patch, number, "valid")
        ended = command(*call, "run")
    assert ended.code == 130
    again = re.search(r"stopped after step \d+\. Go on with:\n  lossworks (.*)\n", ended.err)
    assert again is not None
    assert shlex.split(again[1]) == [*map(str, call[:-1]), "--out", "run", "--resume"]
    assert json.loads(Path("run/run.json").read_text())["status"] == "interrupted"
    assert len(list(Path("run/checkpoints").iterdir())) == 1
    assert Path("run/report.html").exists()
    ended = command(*shlex.split(again[1]))
    assert ended.code == 0, ended.err
    assert Path("run/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()
    assert not Path("run/checkpoints").exists()
    assert json.loads(Path("run/run.json").read_text())["status"] == "finished"


def test_a_comparison_stopped_and_resumed(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in a comparison says how much is done, and the whole command that goes on, which counts from there."""
    call = ("compare", REVIEWS, "--model", SMALL[1], "--epochs", 1, "--trials", 2, "--seeds", 2, "--loss", "mse")
    call += ("--loss", "cross_entropy", "--minutes", "9")
    with monkeypatch.context() as patch:
        patch.setattr("lossworks.cli.running.time.strftime", lambda form: "now")
        seen = [0]
        shown = Watcher.__call__

        def watch(self: Watcher, event: str, fields: dict[str, Any]) -> None:
            shown(self, event, fields)
            seen[0] += event == "training"
            if (event, seen[0]) == ("training", 3):
                os.kill(os.getpid(), signal.SIGINT)

        patch.setattr(Watcher, "__call__", watch)
        ended = command(*call)
    assert ended.code == 130
    again = re.search(r"stopped: 3 of 8 trainings are done and kept\. Go on with:\n  lossworks (.*)\n", ended.err)
    assert again is not None
    assert shlex.split(again[1]) == [*map(str, call[:-2]), "--out", "runs/reviews-now", "--resume"]
    ended = command(*shlex.split(again[1]))
    assert ended.code == 0
    assert "8 trainings in all, 3 of them done" in ended.err
    assert re.findall(r"^(\d) of 8", ended.err, re.M) == ["4", "5", "6", "7", "8"]


def test_stopped_twice(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second Ctrl-C ends at once, with the record as it should be."""
    with monkeypatch.context() as patch:
        _sending(patch, signal.SIGINT, "valid", times=2)
        ended = command("fit", REVIEWS, *SMALL, "--out", "run", "--json")
    assert (ended.code, ended.json["exit_code"]) == (130, 130)
    assert "stopped at once" in ended.err
    assert json.loads(Path("run/run.json").read_text())["status"] == "interrupted"
    assert command("fit", REVIEWS, *SMALL, "--out", "run", "--resume", "-q").code == 0


IMPATIENT = """
import atexit, os, signal, sys
from lossworks.api import recording
from lossworks.cli.app import main
from lossworks.cli.progress import Watcher

def again(*ignored):
    os.kill(os.getpid(), signal.SIGINT)

shown = Watcher.__call__
Watcher.__call__ = lambda self, event, fields: (shown(self, event, fields), event == "valid" and again())
recording.report.write = again
atexit.register(again)
main()
"""


def test_stopped_while_saving(command: Command, tmp_path: Path) -> None:
    """Ctrl-C again while the run is being saved, and when all is said: one line, exit code 130, a run to go on with."""
    call = ["fit", str(REVIEWS), *SMALL, "--out", "run", "-q"]
    ended = subprocess.run([sys.executable, "-c", IMPATIENT, *call], cwd=tmp_path, capture_output=True, text=True, check=False)
    said = "lossworks: stopped at once. The same command with --resume goes on with a run that had begun.\n"
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr.lstrip("\n") == said
    assert command(*call, "--resume").code == 0


@pytest.mark.parametrize("when", ["data", "read"])
def test_stopped_while_reading(command: Command, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """Ctrl-C before the first step ends at once and leaves nothing; the same --out can be used again."""
    with monkeypatch.context() as patch:
        _sending(patch, signal.SIGINT, when)
        assert command("fit", REVIEWS, *SMALL, "--out", "run", "-q").code == 130
    assert not Path("run").exists()
    assert command("fit", REVIEWS, *SMALL, "--out", "run", "-q").code == 0


def _interrupted(command: Command, monkeypatch: pytest.MonkeyPatch, *call: object) -> None:
    with monkeypatch.context() as patch:
        _sending(patch, signal.SIGINT, "valid")
        assert command(*call).code == 130


def test_resumed_with_something_changed(command: Command, put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other settings or other data are refused and named; the run stays as it was, and goes on when called as before."""
    rows = "".join(f'"{text}",{label},{1 + i % 3}\n' for i, (text, label) in enumerate(reviews()))
    path = put("a.csv", "text,label,w\n" + rows)
    call = ("fit", path, *SMALL, "--weight", "w", "-q", "--out", "run")
    _interrupted(command, monkeypatch, *call)
    before = {p: p.read_bytes() for p in Path("run").rglob("*") if p.is_file()}

    def refused(*changed: object) -> str:
        ended = command(*changed, "--resume")
        assert ended.code == 2
        assert {p: p.read_bytes() for p in Path("run").rglob("*") if p.is_file()} == before
        return ended.err

    assert "--resume: seed was 0 and is now 1. Repeat the command as it was" in refused(*call, "--seed", "1")
    assert "--resume: epochs was 2 and is now 3." in refused(*call, "--epochs", "3")
    assert "--resume: valid was 0.1 and is now" in refused(*call, "--valid", path)
    put("b.csv", "text,label,w\n" + rows)
    assert "--resume: data was" in refused("fit", "b.csv", *call[2:])
    changed = "--resume: the data is not what it was when the run began. Restore it, or choose another --out."
    assert changed in refused(*(part for part in call if part not in ("--weight", "w")))
    put("a.csv", "text,label,w\n" + rows.replace("lovely", "lowly", 1))
    assert changed in refused(*call)
    assert changed in refused(*call)  # and the second time: the first must not have taken the record with it
    put("a.csv", "text,label,w\n" + rows[:-2] + "9\n")
    assert changed in refused(*call)
    put("a.csv", "text,label\n")
    assert "Traceback" not in refused(*call)
    put("a.csv", "text,label,w\n" + rows)
    assert command(*call, "--resume").code == 0


def test_resumed_when_finished(command: Command, fitted: Path) -> None:
    """A finished run has nothing to resume."""
    before = (fitted / "run.json").read_bytes()
    ended = command("fit", REVIEWS, "--out", fitted, *SMALL, "--resume")
    assert (ended.code, "is finished; there is nothing to resume" in ended.err) == (2, True)
    assert (fitted / "run.json").read_bytes() == before


def test_resume_of_nothing_starts(command: Command) -> None:
    """--resume where no run is starts one, so that one command can be repeated until it is done."""
    assert command("fit", REVIEWS, *SMALL, "--out", "run", "--resume", "-q").code == 0


@pytest.mark.parametrize("damage", [b"", b"garbage", b"cut", b"other"])
def test_damaged_checkpoint(command: Command, monkeypatch: pytest.MonkeyPatch, damage: bytes) -> None:
    """A checkpoint that is truncated, garbage or of another run is named, with the remedy, which works."""
    call = ("fit", REVIEWS, *SMALL, "-q", "--out")
    _interrupted(command, monkeypatch, *call, "run")
    (path,) = Path("run/checkpoints").iterdir()
    if damage == b"other":
        _interrupted(command, monkeypatch, "fit", REVIEWS, "--model", "linear:bits=10", "-q", "--out", "other")
        (other,) = Path("other/checkpoints").iterdir()
        damage = other.read_bytes()
    path.write_bytes(path.read_bytes()[:-100] if damage == b"cut" else damage)
    ended = command(*call, "run", "--resume")
    assert ended.code == 2
    assert "Remove it to start from the beginning." in ended.err
    path.unlink()
    assert command(*call, "run", "--resume").code == 0


def test_damaged_record(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run.json that lost its parts is named when resuming."""
    _interrupted(command, monkeypatch, "fit", REVIEWS, *SMALL, "--out", "run")
    for content in ('{"format": 1}', "[]", "{", '{"format": 1, "status": "running", "given": 5, "created": ""}'):
        Path("run/run.json").write_text(content)
        ended = command("fit", REVIEWS, *SMALL, "--out", "run", "--resume")
        assert ended.code == 2
        assert "run.json" in ended.err


def test_log_of_a_resumed_run(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begun, resumed, ended: the log reads as one history."""
    _interrupted(command, monkeypatch, "fit", REVIEWS, *SMALL, "-q", "--out", "run")
    assert command("fit", REVIEWS, *SMALL, "-q", "--out", "run", "--resume").code == 0
    names = [event["event"] for event in lossworks.load_run("run").events() if event["event"] != "train"]
    assert names == ["start", "valid", "checkpoint", "resume", "valid", "end"]
