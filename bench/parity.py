"""Training by several processes: parity with plain autograd, of every loss, and what a step costs.

python bench/parity.py              the audit: every loss over outcomes or numbers, with its odd parameters, × risk ×
                                    accumulation, by 1 to 4 processes against all rows at once, in float64
python bench/parity.py time [DIM]   a step of 2 and of 4 processes with 4 shards, against the same rows with one all-reduce of the
                                    gradient, as DistributedDataParallel without overlap: in turn, medians
"""

from __future__ import annotations

import importlib
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import distributed

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import _bench

from lossworks.engine.exchange import GradientSum
from lossworks.engine.joining import world
from lossworks.optim import Stepper, build

audit: Any = importlib.import_module("processes.audit")  # of the tests
worlds: Any = importlib.import_module("processes.worlds")
SHARDS = 12


def parity() -> None:
    """Print the largest difference of each world, and whether all have the same bits."""
    every = audit.every_case()
    each_of = list(audit.combinations(list(every)))
    found: dict[int, list[Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for size in (1, 2, 3, 4):

            def work(rank: int) -> None:
                joined = replace(world(), shards=SHARDS)
                made = [audit.made(every[each[0]], *each[1:], joined) for each in each_of]
                torch.save(made, f"{folder}/{rank}.pt")

            assert worlds.run(size, work, timeout=3000) == [0] * size
            processes = [torch.load(f"{folder}/{rank}.pt") for rank in range(size)]
            for made in processes:
                for mine, first in zip(made, found.get(1, processes)[0], strict=True):
                    assert all(map(torch.equal, mine, first))
            found[size] = processes
    worst = 0.0
    for each, made in zip(each_of, found[1][0], strict=True):
        for got, want in zip(made[:-1], audit.wanted(every[each[0]], each[1]), strict=True):
            assert got.shape == want.shape
            if got.numel():
                worst = max(worst, float((got - want).abs().max() / (1 + want.abs().max())))
    assert worst < 1e-12
    print(
        f"{len(every)} losses, {len(each_of)} combinations: worlds of 1 to 4 in the same bits; furthest from autograd {worst:.1e}"
    )


def times(dim: int) -> None:
    """Print a table of the milliseconds of a step."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for size in (2, 4):

            def work(rank: int) -> None:
                torch.save(_timed(dim), f"{folder}/{rank}.pt")

            assert worlds.run(size, work, timeout=500) == [0] * size
            for number, clock in enumerate(("by the clock", "of the processor")):
                ours, theirs, ratio = torch.load(f"{folder}/0.pt")[number]
                rows.append([f"{size} processes, {clock}", f"{ours * 1e3:.1f}", f"{theirs * 1e3:.1f}", f"{ratio:.2f}"])
    _bench.table(["", "4 shards, tree [ms]", "all-reduce [ms]", "ratio"], rows)


def _timed(dim: int) -> list[tuple[float, float, float]]:
    """Medians of seconds by the clock, and of the processor: ours, theirs, and of the ratio."""
    joined = replace(world(), shards=4)
    network = torch.nn.Sequential(*(layer for _ in range(4) for layer in (torch.nn.Linear(dim, dim), torch.nn.ReLU())))
    stepper, data = Stepper(build("adamw"), network), torch.randn(512, dim)

    def backward(rows: torch.Tensor) -> None:
        (network(rows).square().sum() / len(data)).backward()

    def ours() -> None:
        total = GradientSum(joined, stepper)
        for shard in joined.own:
            backward(data[shard * 128 : (shard + 1) * 128])
            total.take(shard)
        joined.gather(1.0, 2.0, 3.0, device=data.device)
        total.finish()
        stepper.zero_grad()

    def theirs() -> None:
        backward(data[joined.rank :: joined.size])
        flat = torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
        distributed.all_reduce(flat)
        for p, part in zip(network.parameters(), torch.split(flat, [p.numel() for p in network.parameters()]), strict=True):
            p.grad = part.view_as(p)
        told = torch.zeros(3, dtype=torch.float64)
        distributed.all_reduce(told)
        stepper.zero_grad()

    found: list[list[tuple[float, float]]] = [[], []]
    for _ in range(13):
        pairs = []
        for side in (ours, theirs):
            distributed.barrier()
            began = time.perf_counter(), time.process_time()
            for _ in range(4):
                side()
            pairs.append(((time.perf_counter() - began[0]) / 4, (time.process_time() - began[1]) / 4))
        for clock, both in zip(found, zip(*pairs, strict=True), strict=True):
            clock.append((both[0], both[1]))
    of = [clock[3:] for clock in found]
    return [
        (*(statistics.median(side) for side in zip(*each, strict=True)), statistics.median(a / b for a, b in each)) for each in of
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["time"]:
        times(int(sys.argv[2]) if len(sys.argv) > 2 else 512)
    else:
        parity()
