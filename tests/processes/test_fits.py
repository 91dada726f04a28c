"""Whole fits by several processes: the bits of one, also where their number changes; what ends one of them ends all."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import lossworks
from lossworks.core.errors import DataError, UsageError
from lossworks.engine import Callbacks
from lossworks.engine.distributed import World
from lossworks.engine.joining import agreed
from lossworks.record import Run
from processes import worlds

DRAWS = random.Random(0)
TEXTS = [" ".join(DRAWS.choices(["red", "blue", "green", "dog", "cat", "sun", "moon"], k=DRAWS.randint(2, 9))) for _ in range(90)]
LABELLED = [(f"{text} {'good' if i % 3 else 'bad'}", "yes" if i % 3 else "no") for i, text in enumerate(TEXTS)]
NUMBERS = [(text, float(len(text))) for text in TEXTS]
SETS = [(text, "a|b" if i % 3 else "b") for i, text in enumerate(TEXTS)]
FACTS = [(f"e{DRAWS.randint(0, 9)}", f"r{i % 2}", f"e{DRAWS.randint(0, 9)}") for i in range(80)]
TOKENS: dict[str, Any] = {"task": "lm", "tokenizer": "words", "batch_tokens": 96, "dtype": "float32", "steps": 3}
NETWORK = "transformer:layers=1,heads=2,dim=16"
CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "classes, rows at rest under a penalty": (LABELLED, {"epochs": 2, "clip": 0.5, "penalty": "l1:strength=1e-3",
                                                         "batch_size": 18}),
    "groups": (LABELLED, {"model": "bag:dim=4", "epochs": 1, "risk": "group_dro", "batch_size": 18}),
    "fewer rows than processes": (NUMBERS, {"task": "regress", "model": "bag:dim=4", "ema": 0.9, "epochs": 1, "batch_size": 3,
                                            "optimizer": "adamw"}),
    "label sets by a search": (SETS, {"task": "multilabel", "optimizer": "lbfgs", "epochs": 2}),
    "a network of one row": (LABELLED[:40], {"model": "rnn_encoder:dim=8,layers=1,dropout=0.2", "epochs": 1, "optimizer": "muon",
                                             "batch_size": 20, "micro_batch": 3}),
    "curvature": (TEXTS, {**TOKENS, "model": NETWORK, "batch_tokens": 64, "optimizer": "sophia"}),
    "worst tokens": (TEXTS, {**TOKENS, "model": NETWORK + ",dropout=0.1", "pack": True, "risk": "cvar:alpha=0.3"}),
    "negatives of a graph": (FACTS, {"task": "graph", "model": "complex:dim=4,negatives=5", "optimizer": "adagrad", "epochs": 2,
                                     "batch_size": 30}),
}  # fmt: skip


def weights(model: Any) -> dict[str, torch.Tensor]:
    """Of whatever was fitted."""
    held = getattr(model, "predictor", None) or getattr(model, "trained", None) or model.graph
    return {name: each.clone() for name, each in (getattr(held, "network", None) or held.model.network).state_dict().items()}


@pytest.fixture(scope="module")
def alone() -> dict[str, dict[str, torch.Tensor]]:
    """The weights of one process."""
    return {name: weights(lossworks.fit(data, shards=4, **how)) for name, (data, how) in CASES.items()}


@pytest.mark.parametrize("size", [2, 4])
def test_same_bits(size: int, tmp_path: Path, alone: dict[str, dict[str, torch.Tensor]]) -> None:
    """Of all families and tasks, one after the other by 4 and by 2: the bits of one alone that has as many shards."""
    shared = dict([*CASES.items()][size // 2 % 2 :: 2])

    def work(rank: int) -> None:
        found = {name: weights(lossworks.fit(data, shards=4, **how)) for name, (data, how) in shared.items()}
        torch.save(found, tmp_path / f"{rank}.pt")

    assert worlds.run(size, work) == [0] * size
    for rank in range(size):
        found = torch.load(tmp_path / f"{rank}.pt")
        assert found.keys() == shared.keys()
        for name, got in found.items():
            assert all(torch.equal(got[at], want) for at, want in alone[name].items()), (name, rank)


STREAM = "".join(f"{text}.\n" for text in TEXTS)
CARRIED: dict[str, Any] = {"task": "lm", "model": "rnn:layers=1,dim=8,dropout=0.1", "tokenizer": "chars", "document_unit": "file",
                           "steps": 12, "batch_tokens": 64, "dtype": "float32"}  # fmt: skip


def nothing(rank: int, step: int) -> None:
    """Train on."""


def world_of_fit(size: int, out: Path, data: Path, at: Callable[[int, int], None] = nothing, **choices: Any) -> list[int | None]:
    """A fit by so many processes, each of which does ``at(rank, step)`` after its steps; their exit codes."""

    def work(rank: int) -> None:
        steps = iter(range(1, 1000))
        callbacks = Callbacks(checkpoint_every=0.0, async_checkpoints=bool(choices), stepped=lambda: at(rank, next(steps)))
        given = choices if "start" in choices else CARRIED | choices
        lossworks.fit(data, out=out, callbacks=callbacks, resume=(out / "run.json").exists(), **given)

    return worlds.run(size, work)


def test_killed_and_resumed_by_others(tmp_path: Path, put: Callable[[str, str], Path]) -> None:
    """Any process killed, early or late: the rest end at once; more or fewer of them go on, to the same bits, states carried."""
    data = put("text.txt", STREAM)
    want = weights(lossworks.fit(data, shards=4, **CARRIED))
    for size, rank, step, then in ((2, 0, 1, 4), (4, 2, 5, 1)):
        out, began = tmp_path / f"{size}-{rank}", time.monotonic()

        def die(own: int, now: int, rank: int = rank, step: int = step) -> None:
            if (own, now) == (rank, step):
                os.kill(os.getpid(), signal.SIGKILL)

        codes = world_of_fit(size, out, data, die)
        assert codes == [-signal.SIGKILL if own == rank else 5 for own in range(size)]
        assert time.monotonic() - began < 100  # not the half hour of a group's patience
        if rank:
            assert f"process {rank} of {size} was killed" in Run(out).summary["error"]
        assert world_of_fit(then, out, data) == [0] * then
        got = weights(lossworks.load(out))
        assert all(torch.equal(got[name], want[name]) for name in want), (size, rank)
    record = tmp_path / "2-0" / "run.json"
    record.write_text(record.read_text().replace('"finished"', '"running"'))
    with pytest.raises(UsageError, match="shards was 4"):
        lossworks.fit(data, out=tmp_path / "2-0", resume=True, **CARRIED, shards=2)


def test_divided(tmp_path: Path, put: Callable[[str, str], Path]) -> None:
    """Weights that FSDP divides: a process that is killed, or fails, ends all; resumed they end near one of as many shards,
    whose dropout is the same.
    """
    data, out = put("text.txt", STREAM), tmp_path / "divided"

    def die(rank: int, step: int) -> None:
        if (rank, step) == (1, 3):
            os.kill(os.getpid(), signal.SIGKILL)

    assert world_of_fit(2, out, data, die, sharding="fsdp") == [5, -signal.SIGKILL]
    assert "process 1 of 2 was killed" in Run(out).summary["error"]

    def fail(rank: int, step: int) -> None:
        if (rank, step) == (1, 2):
            raise DataError("row 7 is torn.")

    assert world_of_fit(2, out, data, fail, sharding="fsdp") == [2, 2]
    assert Run(out).summary["error"] == "process 1 of 2: row 7 is torn."
    assert world_of_fit(2, out, data, sharding="fsdp") == [0, 0]
    assert _apart(lossworks.fit(data, shards=2, **CARRIED), lossworks.load(out)) < 1e-5


def test_going_on_divided(tmp_path: Path, put: Callable[[str, str], Path]) -> None:
    """Two processes with divided weights go on from a run, and one alone from theirs: each ends near one that went the same way
    alone, for the optimiser's state is taken up, by parts, and kept whole.
    """
    data, paths = put("text.txt", STREAM), [tmp_path / name for name in ("first", "divided", "then", "alone", "after")]
    how: dict[str, Any] = {**CARRIED, "model": "rnn:layers=1,dim=8", "optimizer": "muon", "steps": 3}
    first, divided, then, alone, after = paths
    lossworks.fit(data, out=first, **how)
    assert world_of_fit(2, divided, data, start=first, sharding="fsdp", steps=3) == [0, 0]
    for out, start in ((then, divided), (alone, first), (after, alone)):
        lossworks.fit(data, out=out, start=start, steps=3)
    for one, other in ((divided, alone), (then, after)):
        assert Run(one).summary["result"]["from"]["optimizer"] is None
        assert _apart(lossworks.load(one), lossworks.load(other)) < 1e-5


def _apart(one: Any, other: Any) -> float:
    got, want = weights(one), weights(other)
    return max(float((got[name] - want[name]).abs().max()) for name in want)


def test_one_fails(tmp_path: Path, put: Callable[[str, str], Path]) -> None:
    """What one process says is the end of all, with its exit code; and weights that drift apart are noticed."""
    data = put("text.txt", STREAM)

    def fail(rank: int, step: int) -> None:
        if (rank, step) == (1, 3):
            raise DataError("row 7 is torn.")

    assert world_of_fit(2, tmp_path / "failed", data, fail) == [2, 2]
    assert Run(tmp_path / "failed").summary["error"] == "process 1 of 2: row 7 is torn."

    def stray(rank: int, step: int) -> None:
        if (rank, step) == (1, 3):
            from lossworks.models.rnn.model import Rnn

            kept = Rnn.advance
            Rnn.advance = lambda self, state, ids: (next(self.parameters()).data.mul_(1.001), kept(self, state, ids))[1]  # type: ignore[method-assign]

    assert world_of_fit(2, tmp_path / "strayed", data, stray) == [3, 3]
    assert "weights of process 1 are not those of process 0" in Run(tmp_path / "strayed").summary["error"]


def test_shards_are_dealt_evenly() -> None:
    """As many as were asked for, or were when the run began; what does not divide is refused with what would."""
    assert agreed(World(), False, None, None, "cpu") == (False, 1)
    assert agreed(World(), True, 4, None, "cpu") == (True, 4)
    assert agreed(World(), False, None, 6, "cpu") == (False, 6)
    with pytest.raises(UsageError, match=r"6 shards, which 4 processes .* Start 1, 2, 3, 6 of them, or choose"):
        agreed(_Alone(0, 4), False, None, 6, "cpu")
    with pytest.raises(UsageError, match=r"1 shard, which 2 processes .* Start 1 of them\.$"):
        agreed(_Alone(0, 2), True, None, None, "cpu")
    assert [agreed(_Alone(0, size), False, None, None, "cpu")[1] for size in (2, 3, 4, 8)] == [4, 3, 4, 8]


class _Alone(World):
    def of_first(self, text: str, device: torch.device) -> str:
        return json.dumps(json.loads(text))
