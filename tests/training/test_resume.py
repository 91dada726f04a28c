"""Killed at any moment and resumed, a run ends in the same bits as one that was left alone.

Children are forked from this process, which has everything imported, so that a start costs nothing; each is
killed by SIGKILL, by its parent after a while or by itself at its n-th write to the disk.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import safetensors.numpy
import safetensors.torch
import torch

import lossworks
from lossworks.core import threads
from lossworks.engine import Callbacks

REVIEWS = (Path(__file__).parents[2] / "src/lossworks/data/reviews.csv").read_text("utf-8").splitlines(keepends=True)
CHOICES: dict[str, dict[str, Any]] = {
    "encoder": {"model": "transformer_encoder:dim=8,heads=2,layers=1,dropout=0.3,context=16", "epochs": 3},
    "everything": {
        "model": "bag:dim=8,hidden=4,dropout=0.3,bits=12",
        "optimizer": "adamw:lr=0.01",
        "schedule": "plateau:warmup=5%",
        "clip": 0.5,
        "ema": 0.9,
        "micro_batch": 9,
        "epochs": 4,
    },
    "recurrent": {"model": "rnn_encoder:dim=4,cell=lstm,weight_drop=0.3,context=16", "micro_batch": 9, "epochs": 3},
    "taught": {"model": "linear:bits=12,chars=3", "teach": "uniform", "epochs": 4},
    "l1": {"model": "linear:bits=12,chars=3", "optimizer": "sgd:lr=0.5", "penalty": "l1:strength=0.001", "epochs": 4},
}
RANDOM_KILLS, AIMED_KILLS = 3, 2  # for each of the choices

Hook = Callable[[], None]


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A forked child has none of its parent's threads, so there must be none to miss."""
    monkeypatch.setenv("LOSSWORKS_THREADS", "1")
    threads.available.cache_clear()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    yield
    monkeypatch.undo()
    torch.set_num_threads(before)
    threads.available.cache_clear()


def _data(folder: Path) -> Path:
    """A third of the reviews."""
    if not (path := folder / "reviews.csv").exists():
        path.write_text("".join(REVIEWS[:1] + REVIEWS[1::3]), "utf-8")
    return path


def _fit(out: Path, choices: dict[str, Any], **more: Any) -> None:
    lossworks.fit(_data(out.parent), out=out, callbacks=Callbacks(checkpoint_every=0.0), **choices, **more)


def _in_child(out: Path, choices: dict[str, Any], hook: Hook | None = None, after: float | None = None) -> int:
    """Fit with ``resume`` in a forked child; SIGKILL it ``after`` seconds of training. Returns its wait status."""
    child = os.fork()
    if not child:
        signal.alarm(60)  # never outlives its test
        try:
            if hook is not None:
                hook()
            _fit(out, choices, resume=True)
        except BaseException:  # noqa: BLE001  # a child must never come back into the tests
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if after is not None:
        log = out / "log.jsonl"
        size = log.stat().st_size if log.exists() else 0
        ended = None
        while not (log.exists() and log.stat().st_size > size):
            assert ended is None, "the run ended before it trained"
            ended = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            time.sleep(0.001)
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _dying_at(call: int) -> Hook:
    """Before its ``call``-th act that is to last (fsync, rename, remove) the child kills itself."""

    def install() -> None:
        left = [call]

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def last(*arguments: Any, **named: Any) -> Any:
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **named)

            return last

        os.fsync, os.replace, os.rename, os.unlink = map(counted, (os.fsync, os.replace, os.rename, os.unlink))  # type: ignore[assignment]
        Path.replace = counted(Path.replace)  # type: ignore[method-assign]

    return install


def _torn_at(call: int) -> Hook:
    """In the middle of its ``call``-th checkpoint, half of it written, the child kills itself."""

    def install() -> None:
        left = [call]

        def half(whole: Callable[..., Any], tensors: Any, path: Path, metadata: Any = None) -> None:
            whole(tensors, path, metadata)
            left[0] -= 1
            if left[0] == 0:
                os.truncate(path, path.stat().st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)

        for kind in (safetensors.numpy, safetensors.torch):
            kind.save_file = partial(half, kind.save_file)

    return install


def _finished(out: Path) -> bool:
    path = out / "run.json"
    return path.exists() and json.loads(path.read_text())["status"] == "finished"


def _check_history(out: Path) -> None:
    """Steps never go back, each epoch is validated once, and there is one end."""
    events = [event for event in lossworks.load_run(out).events() if event["event"] not in ("resume", "checkpoint", "note")]
    steps = [event["step"] for event in events]
    assert steps == sorted(steps)
    kinds = [event["event"] for event in events]
    assert (kinds[-1], kinds.count("end")) == ("end", 1)
    assert "start" not in kinds[1:]  # it is missing where the first try was killed before it could say so
    validated = [event["epoch"] for event in events if event["event"] == "valid"]
    assert validated == [float(epoch + 1) for epoch in range(len(validated))]


@pytest.mark.parametrize("choice", ["everything", "taught"])
def test_killed_at_random(tmp_path: Path, choice: str) -> None:
    """SIGKILL at random moments, checkpoints being written at nearly every one of them, changes no bit."""
    whole, run, chance = tmp_path / "whole", tmp_path / "run", random.Random(choice)
    _fit(whole, CHOICES[choice])
    length = json.loads((whole / "run.json").read_text())["result"]["seconds"]
    kills = 0
    while kills < RANDOM_KILLS and not _finished(run):
        status = _in_child(run, CHOICES[choice], after=chance.uniform(0, length / 4))
        kills += os.WIFSIGNALED(status)
    assert kills >= RANDOM_KILLS - 2
    if not _finished(run):
        assert _in_child(run, CHOICES[choice]) == 0
    assert (run / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert (run / "config.json").read_bytes() == (whole / "config.json").read_bytes()
    _check_history(run)


@pytest.mark.parametrize("choice", CHOICES)
def test_killed_while_writing(tmp_path: Path, choice: str) -> None:
    """SIGKILL in the middle of a write (a checkpoint, the record, the model) changes no bit."""
    whole, chance = tmp_path / "whole", random.Random(choice)
    settings = CHOICES[choice] | {"epochs": 1, "batch_size": 42}
    _fit(whole, settings)
    moments = [*sorted(chance.sample(range(1, 45), AIMED_KILLS)), 46 + 2 * (len(choice) % 3)]  # the last: at its end
    killed = 0
    for number, moment in enumerate(moments):
        run = tmp_path / str(number)
        killed += os.WIFSIGNALED(_in_child(run, settings, hook=_dying_at(moment)))
        killed += os.WIFSIGNALED(_in_child(run, settings, hook=_dying_at(chance.randint(1, 12)))) if not _finished(run) else 0
        if not _finished(run):
            assert _in_child(run, settings) == 0
        assert (run / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
        assert not list((run / "checkpoints").glob("*.safetensors")) or _finished(run)
        _check_history(run)
    assert killed >= AIMED_KILLS


@pytest.mark.parametrize("choice", ["everything", "l1"])
def test_torn_checkpoint(tmp_path: Path, choice: str) -> None:
    """SIGKILL with half a checkpoint on the disk: the one before it is taken up."""
    whole, run = tmp_path / "whole", tmp_path / "run"
    settings = CHOICES[choice] | {"epochs": 1, "batch_size": 42}
    _fit(whole, settings)
    assert os.WIFSIGNALED(_in_child(run, settings, hook=_torn_at(3)))
    assert os.WIFSIGNALED(_in_child(run, settings, hook=_torn_at(1)))
    assert _in_child(run, settings) == 0
    assert (run / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert not (run / "checkpoints").exists()
    _check_history(run)
