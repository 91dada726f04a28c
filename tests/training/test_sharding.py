"""Networks divided among two processes by FSDP2, held against one process: each optimiser that divides, odd shares, resuming."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from torch import distributed

import lossworks.training.sequences as trainings
from lossworks.core.errors import Diverged, Interrupted, UsageError
from lossworks.data import Ragged
from lossworks.engine import Callbacks
from lossworks.engine.distributed import World
from lossworks.engine.joining import world as joined
from lossworks.engine.sharding import ShardedWorld, sharded
from lossworks.models import build_language
from lossworks.optim import Stepper, build
from lossworks.optim.base import optimizers
from lossworks.tokens import Vocabulary
from lossworks.training.settings import Settings
from processes import worlds

LIKE_ONE = 1e-12
"""What weights may be off those of one process, in float64: sums over rows are made in another order."""
SMALL = (
    "transformer:layers=2,heads=1,dim=6,context=16"  # of 9 and of 6 rows, so parts differ in size, and of 1 row: some are empty
)
CASES: dict[str, dict[str, Any]] = {
    **{
        f"by-{entry.name}": {"optimizer": entry.name, "steps": 2, "evals": 1}
        for entry in optimizers
        if entry.thing.divides and entry.name != "sophia"  # draws targets, other ones in each process
    },
    "clipped, averaged": {"optimizer": "muon:lr=0.01", "clip": 0.1, "ema": 0.8},
    "a rank without tokens": {"optimizer": "adamw", "batch_tokens": 16},
    "micro-batches": {"optimizer": "adamw", "scores": 9 * 17, "batch_tokens": 60},
    "head of its own": {"optimizer": "adamw", "model": f"{SMALL},tied=false"},
    "lanes": {"optimizer": "adamw:lr=0.01", "model": "rnn:layers=2,dim=5", "batch_tokens": 48, "scores": 9 * 17, "longest": 800},
    "worse scores": {"optimizer": "adamw:lr=0.5", "ema": 0.8, "evals": 4},
    "float32": {"optimizer": "adamw", "kind": torch.float32, "model": SMALL.replace("=1,", "=2,").replace("=6", "=8")},
    "resumed": {"optimizer": "muon:lr=0.01", "ema": 0.8, "stop": 2},
}


def train(name: str, world: World, folder: Path, sharding: str | None = "fsdp", *, resume: bool = False) -> dict[str, Any]:
    """The weights and scores of a case; of one that stops, at its stop."""
    usual = {"model": SMALL, "scores": 1 << 24, "batch_tokens": 48, "stop": None, "kind": torch.float64, "longest": None}
    case = usual | CASES[name]
    model, scores, stop, kind, longest = (case.pop(key) for key in ("model", "scores", "stop", "kind", "longest"))
    lengths = np.random.default_rng(0).integers(1, 13, 17) if longest is None else np.array([longest])
    ids = np.random.default_rng(1).integers(0, 7, lengths.sum())
    texts, spec = Ragged(ids, np.concatenate([[0], lengths.cumsum()])), build_language(model)
    vocabulary = spec.output_vocab(Vocabulary(9, None, 7, 8))  # type: ignore[attr-defined]
    network = trainings.new_network(spec, texts, vocabulary, ends=True, seed=0, device="cpu", dtype=None).to(kind)
    callbacks = Callbacks(world=world, checkpoints=folder, checkpoint_every=1e9, async_checkpoints=True)
    steps: list[None] = []

    def stepped() -> None:
        steps.append(None)
        if len(steps) == stop and not resume:
            callbacks.stop.set()

    callbacks.stepped = stepped
    how: dict[str, Any] = {"steps": 4, "epochs": 99, "window": 16, "evals": 2, "schedule": "constant", **case}
    with mock.patch.object(trainings, "SCORES", scores):
        try:
            state = trainings.train_sequences(
                network, texts, vocabulary, valid=texts, callbacks=callbacks, sharding=sharding, resume=resume, **how
            )
        except Interrupted:
            return {}
    return {"scores": state.scores, **{name: p.detach() for name, p in network.named_parameters()}}


def refused(world: World) -> None:
    """What needs whole weights is refused by name; parts are not the whole; a bad loss in one process is one in all."""
    network = trainings.new_network(
        build_language(SMALL), Ragged(np.zeros(1, np.int64), np.array([0, 1])), Vocabulary(9, None, 7, 8), ends=True, seed=0,
        device="cpu", dtype=None,
    )  # fmt: skip
    count = sum(p.numel() for p in network.parameters())
    with pytest.raises(Diverged), sharded(network, Callbacks(world=world), "fsdp") as (divided, callbacks):  # noqa: PT012
        assert not sum(p.numel() for p in network.parameters())
        for name in ("soap", "adafactor", "prodigy", lambda p: torch.optim.SGD(p, lr=0.1)):
            with pytest.raises(UsageError, match="needs whole weights, and these are divided"):
                Stepper(build(name), divided)
        stepper = Stepper(build("adam"), divided)
        held = torch.tensor([sum(part.numel() for part in stepper.roles)])
        assert 0.3 * count < held < 0.7 * count
        distributed.all_reduce(held)
        assert held == count
        assert isinstance(callbacks.world, ShardedWorld)
        for part in stepper.roles:
            part.grad = torch.full_like(part, np.nan if world.rank else 0.0)
        stepper.step()
    assert sum(p.numel() for p in network.parameters()) == count


def process(folder: Path, rank: int) -> None:
    """One process of a world: trains every case, the first one writes down what came of each."""
    world = replace(joined(), shards=joined().size)
    if world.size > 1:
        refused(world)
    found = {name: train(name, world, folder / f"{world.size}") for name in CASES}
    if rank == 0:
        torch.save(found, folder / f"found-{world.size}")


def _off(one: dict[str, Any], two: dict[str, Any]) -> float:
    assert one.keys() == two.keys()
    return max(float(np.abs(np.asarray(one[name]) - np.asarray(two[name])).max()) for name in one)


def test_like_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights divided among two processes end where those of one do, and so does a run that one goes on with."""
    for size in (1, 2):
        assert worlds.run(size, partial(process, tmp_path)) == [0] * size
    one, two = (torch.load(tmp_path / f"found-{size}") for size in (1, 2))
    off = {name: _off(one[name], two[name]) for name in CASES if name != "resumed"}
    again = {size: train("resumed", World(), tmp_path / f"{size}", resume=True) for size in (1, 2)}
    monkeypatch.setitem(CASES, "resumed", {name: value for name, value in CASES["resumed"].items() if name != "stop"})
    wanted = train("resumed", World(), tmp_path / "whole", sharding=None)
    off |= {f"resumed after {size}": _off(wanted, found) for size, found in again.items()}
    least = {"float32": 2e-5, "worse scores": 1e-10}  # steps so large that rounding grows
    assert {name: value for name, value in off.items() if not value <= least.get(name, LIKE_ONE)} == {}


def test_setting() -> None:
    """It is one of networks, and says what it can be."""
    assert Settings(model=SMALL, sharding="fsdp").to_json()["sharding"] == "fsdp"
    with pytest.raises(UsageError, match=r"--sharding is for neural families.* say --task lm too"):
        Settings(model="linear", sharding="fsdp")
    with pytest.raises(UsageError, match="Leave --shards out"):
        Settings(model=SMALL, sharding="fsdp", shards=2)
    with pytest.raises(UsageError, match="'fsdp'"):
        Settings(model=SMALL, sharding="fsdq")
