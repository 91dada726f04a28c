"""When memory runs out: smaller micro-batches, the same step, and the record says so."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lossworks
from lossworks.core.errors import OutOfMemory
from lossworks.core.memory import is_out_of_memory
from lossworks.models import linear_network

pytestmark = pytest.mark.usefixtures("once")

REVIEWS = Path(__file__).parents[2] / "src/lossworks/data/reviews.csv"
CHOICES: dict[str, Any] = {"model": "linear:bits=12,chars=3", "optimizer": "adam:lr=0.01", "batch_size": 64, "epochs": 2}


def weights(model: lossworks.Model) -> np.ndarray:
    """All in a row."""
    return torch.cat([p.flatten() for p in model.predictor.network.state_dict().values()]).numpy()


def run_out(monkeypatch: pytest.MonkeyPatch, above: int, error: type[BaseException] = RuntimeError) -> list[int]:
    """Memory for ``above`` rows in training; the sizes that were tried."""
    forward, sizes = linear_network.Linear.forward, []

    def limited(self: linear_network.Linear, batch: Any) -> torch.Tensor:
        if self.training:
            sizes.append(len(batch))
            if len(batch) > above:
                raise error("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
        return forward(self, batch)

    monkeypatch.setattr(linear_network.Linear, "forward", limited)
    return sizes


@pytest.mark.parametrize("optimizer", ["adam:lr=0.01", "sgd:lr=0.5", "adagrad:lr=0.1", "gradient_descent:lr=1"])
@pytest.mark.parametrize("micro", [1, 7, 50])
def test_accumulation_is_the_full_batch(optimizer: str, micro: int) -> None:
    """Whatever the micro-batch, the weights are those of whole batches, to rounding."""
    whole, parts = (lossworks.fit(REVIEWS, **CHOICES | {"optimizer": optimizer, "micro_batch": size}) for size in (64, micro))
    np.testing.assert_allclose(weights(parts), weights(whole), rtol=1e-3, atol=2e-5)
    assert whole.record["config"]["batch_size"] == parts.record["config"]["batch_size"]


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, torch.OutOfMemoryError])
def test_halved_in_mid_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: type[BaseException]) -> None:
    """64 rows do not fit, nor 32, but 16: from there on every step is made of 16s, and is the step that was asked for."""
    wanted = weights(lossworks.fit(REVIEWS, **CHOICES, micro_batch=16))
    sizes = run_out(monkeypatch, above=16, error=error)
    found = lossworks.fit(REVIEWS, out=tmp_path / "run", **CHOICES)
    assert np.array_equal(weights(found), wanted)
    assert sizes[:3] == [64, 32, 16]
    events = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text("utf-8").splitlines()]
    (memory,) = (event for event in events if event["event"] == "memory")
    assert (memory["micro_batch"], memory["was"]) == (16, 64)
    assert found.record["config"]["batch_size"] == 64


def test_auto_finds_before_the_first_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What fits is found before step 0, on the longest texts; the effective batch is the usual one."""
    usual = lossworks.fit(REVIEWS, **CHOICES | {"batch_size": None}).record["config"]["batch_size"]
    sizes = run_out(monkeypatch, above=10)
    found = lossworks.fit(REVIEWS, out=tmp_path / "run", **CHOICES | {"batch_size": "auto"})
    assert found.record["config"]["batch_size"] == usual == 16
    events = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text("utf-8").splitlines()]
    (memory,) = (event for event in events if event["event"] == "memory")
    assert (memory["micro_batch"], memory["step"]) == (8, 0)
    assert sizes[0] == 16
    assert max(sizes[1:]) == 8


def test_a_single_row_that_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then there is nothing left to halve."""
    run_out(monkeypatch, above=0)
    with pytest.raises(OutOfMemory, match="a single row"):
        lossworks.fit(REVIEWS, **CHOICES)


def test_other_errors_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that has nothing to do with memory is not taken for one."""

    def broken(self: linear_network.Linear, batch: Any) -> torch.Tensor:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(linear_network.Linear, "forward", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        lossworks.fit(REVIEWS, **CHOICES)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's")
def test_memory_that_really_runs_out(tmp_path: Path) -> None:
    """With room for some 300 MB more, a step of 20,000 rows of 2,000 numbers is made of smaller ones."""
    program = """
import resource, sys
import lossworks
from lossworks.engine import Callbacks
rows = [(f"w{n % 997} w{n % 89}", "ab"[n % 2]) for n in range(20_000)]
events = []
def watch(event, fields):
    events.append((event, fields))
    if event == "start":
        pages = int(open("/proc/self/statm").read().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (300 << 20),) * 2)
    if event == "train":
        print([f["micro_batch"] for e, f in events if e == "memory"], flush=True)
        import os; os._exit(0)
lossworks.fit(rows, valid=0, test=0, model="bag:dim=2000,vocabulary=1500", optimizer="gradient_descent",
              micro_batch=20_000, epochs=1, callbacks=Callbacks(watch=watch))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=tmp_path)
    found = json.loads(done.stdout or "[]")
    assert found, done.stderr
    assert all(0 < size < 20_000 for size in found)


def test_sophia_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sampled targets that Sophia's curvature is estimated from are halved as well."""
    choices = CHOICES | {"optimizer": "sophia:every=2"}
    wanted = weights(lossworks.fit(REVIEWS, **choices, micro_batch=64))
    run_out(monkeypatch, above=16)
    found = weights(lossworks.fit(REVIEWS, **choices))
    assert found.shape == wanted.shape
    assert np.isfinite(found).all()


def test_trials_leave_no_trace() -> None:
    """Finding what fits does not move what a risk remembers of its groups."""
    choices = CHOICES | {"risk": "group_dro", "valid": 0.0}
    found, wanted = (lossworks.fit(REVIEWS, **choices, micro_batch=size) for size in ("auto", 64))
    assert np.array_equal(weights(found), weights(wanted))
    assert found.record["result"]["micro_batch"] == 64


@pytest.mark.parametrize("said", ["CUDA error: an illegal memory access was encountered", "unsupported memory format"])
def test_what_is_no_lack_of_memory(said: str) -> None:
    """Other troubles with memory are not answered with smaller batches."""
    assert not is_out_of_memory(RuntimeError(said))
