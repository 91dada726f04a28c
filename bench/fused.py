"""Fused scores, three bare products, and PyTorch's eager and chunked cross-entropy: time and memory; the cost of other losses.

python bench/fused.py            everything but the grid
python bench/fused.py grid       sizes from 1k x 8k to 16k x 128k
python bench/fused.py busy       the main size and the grid's beside no other program, one and two that spin, one of eight threads
python bench/fused.py trained    blocks of the vocabulary that round to nothing: see docs/LOG.md
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import _bench
import torch
from torch import Tensor
from torch.nn import functional

from lossworks import losses
from lossworks.scores import TopK, dense, fused

N, D, V = 4096, 512, 32_000
GRID = [(1024, 256, 8192), (1024, 2048, 32_000), (16_384, 256, 8192), (4096, 256, 128_000)]
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}

SPIN = "import os; ours = os.getppid()\nwhile os.getppid() == ours: pass"
MANY = SPIN.replace("import os", "import os, torch; torch.set_num_threads(8); a = torch.ones(999, 999)").replace("pass", "a @ a")
BESIDE = {"quiet": [], "one spins": [SPIN], "two spin": [SPIN, SPIN], "eight threads": [MANY]}

MEMORY = """
import json, resource, sys
import torch
sys.path.insert(0, "bench")
import fused as bench
side, dtype, n, d, v = sys.argv[1], bench.DTYPES[sys.argv[2]], *map(int, sys.argv[3:])
small = bench.layer(8, d, 64, dtype)
bench.SIDES[side](*small)()  # what a first call loads is not the method's
given = bench.layer(n, d, v, dtype)
step = bench.SIDES[side](*given)
resident = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
open("/proc/self/clear_refs", "w").write("5")  # resets the peak
step()
peak = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
gradients = sum(t.numel() * t.element_size() for t in given[:2])
print(json.dumps({"beyond": (peak - resident - gradients) / 2**20}))
"""


def layer(n: int, d: int, v: int, dtype: torch.dtype, device: str = "cpu") -> tuple[Tensor, Tensor, Tensor]:
    """Hidden states and a weight that require gradients, and targets."""
    how: dict[str, Any] = {"generator": torch.Generator(device).manual_seed(0), "device": device}
    hidden = torch.randn(n, d, **how).to(dtype).requires_grad_()
    weight = (torch.randn(v, d, **how) / d**0.5).to(dtype).requires_grad_()
    return hidden, weight, torch.randint(v, (n,), **how)


def products(hidden: Tensor, weight: Tensor, target: Tensor) -> Callable[[], Any]:
    """The three matrix products that every method needs, and nothing else."""
    slopes = torch.randn(len(hidden), len(weight)).to(hidden.dtype)
    h, w = hidden.detach(), weight.detach()
    return lambda: (h @ w.T, slopes @ w, slopes.T @ h)


def _step(hidden: Tensor, weight: Tensor, mean: Callable[[], Tensor]) -> Callable[[], None]:
    def run() -> None:
        hidden.grad = weight.grad = None
        mean().backward()

    return run


def ours(hidden: Tensor, weight: Tensor, target: Tensor, spec: str = "cross_entropy", **how: Any) -> Callable[[], None]:
    """Ours, with any loss."""
    loss = losses.build(spec).with_counts(tuple(float(1 + i % 100) for i in range(len(weight))))
    assert isinstance(loss, losses.CategoricalLoss)
    return _step(hidden, weight, lambda: fused(hidden, weight, target, **how).mean(loss))


SIDES: dict[str, Callable[..., Callable[[], Any]]] = {
    "3 products": products,
    "fused": ours,
    "eager": lambda h, w, y: _step(h, w, lambda: functional.cross_entropy((h @ w.T).float(), y)),
    "torch chunked": lambda h, w, y: _step(
        h, w, lambda: functional.linear_cross_entropy(h, w, y, options=torch.nn.LinearCrossEntropyOptions())
    ),
}


def timed(sides: dict[str, Callable[[], Any]], rounds: int = 5) -> dict[str, float]:
    """Median seconds of each side, run in turn."""
    seen: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name, side in sides.items():
            start = time.perf_counter()
            side()
            if turn:
                seen[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seen.items()}


def memory(side: str, dtype: str, *sizes: int) -> float:
    """Megabytes beyond inputs and gradients, in a fresh process."""
    return float(_bench.run(sys.executable, MEMORY, side, dtype, *map(str, sizes))["beyond"])


def cell(dtype: str, n: int, d: int, v: int, rounds: int = 5) -> tuple[Any, ...]:
    """One row of the table."""
    t = timed({name: make(*layer(n, d, v, DTYPES[dtype])) for name, make in SIDES.items()}, rounds)
    m = {side: memory(side, dtype, n, d, v) for side in ("fused", "eager", "torch chunked")}
    return (
        f"{n} x {d} x {v}",
        dtype,
        t["fused"],
        t["fused"] / t["3 products"],
        t["torch chunked"] / t["fused"],
        t["eager"] / t["fused"],
        m["fused"],
        m["torch chunked"],
        m["eager"],
        m["fused"] / m["eager"],
    )


HEAD = (
    "N x D x V",
    "",
    "fused, s",
    "/ 3 products",
    "torch chunked / fused",
    "eager / fused",
    "fused, MB",
    "chunked, MB",
    "eager, MB",
    "fused / eager",
)


@contextmanager
def beside(programs: list[str]) -> Iterator[None]:
    """Other programs run for a while."""
    others = [subprocess.Popen([sys.executable, "-c", program]) for program in programs]
    try:
        time.sleep(3 if others else 0)
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def busy(dtype: str, n: int, d: int, v: int) -> None:
    """Seconds of every side beside other programs."""
    sides = {name: make(*layer(n, d, v, DTYPES[dtype])) for name, make in SIDES.items()}
    rows = []
    for name, programs in BESIDE.items():
        with beside(programs):
            t = timed(sides, rounds=3)
        rows.append((name, *t.values(), t["fused"] / t["3 products"], t["fused"] / t["eager"]))
    _bench.table((f"{n} x {d} x {v}, {dtype}", *SIDES, "fused / 3 products", "fused / eager"), rows)


def masked() -> None:
    """Time with half and nine tenths of the positions masked, over the time with none, times the share kept."""
    given, rows = layer(N, D, V, torch.float32), []
    shares = {share: torch.rand(N, generator=torch.Generator().manual_seed(1)) < share for share in (1.0, 0.5, 0.1)}
    t = timed({str(share): ours(*given, keep=keep) for share, keep in shares.items()})
    for share, keep in shares.items():
        kept = float(keep.double().mean())
        rows.append((f"{1 - share:.0%} masked", t[str(share)], t[str(share)] / t["1.0"], kept, t[str(share)] / t["1.0"] / kept))
    _bench.table(("", "s", "of the time with none", "share kept", "time over share"), rows)


def tax(dtype: str) -> None:
    """Every other loss over outcomes, fused, over fused cross-entropy."""
    hidden, weight, target = layer(N, D, V, DTYPES[dtype])
    teacher = dense(torch.randn(N, V), target) if dtype == "bf16" else None
    top = torch.randn(N, V).log_softmax(-1).topk(16)
    needs = {"teacher": teacher or TopK(top.indices, top.values), "negatives": torch.randint(V, (N, 8))}
    names = [entry.name for entry in losses.losses if _whole(entry.name)]
    steps = {name: ours(hidden, weight, target, name, **needs) for name in names}
    t = timed(steps, rounds=2)
    _bench.table((f"fused, {dtype}", "s", "over cross-entropy"), [(n, s, s / t["cross_entropy"]) for n, s in t.items()])


def _whole(name: str) -> bool:
    loss = losses.build(name)
    return isinstance(loss, losses.CategoricalLoss) and not isinstance(loss, losses.BinaryLoss) and not loss.positions_interact


def main() -> None:
    """Print the tables."""
    _bench.machine()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads\n")
    if sys.argv[1:] == ["grid"]:
        for size in GRID:  # a table each: some take minutes
            _bench.table(HEAD, [cell(dtype, *size, rounds=2) for dtype in DTYPES])
        return
    if sys.argv[1:] == ["busy"]:
        for size in [(N, D, V), *GRID]:
            for dtype in DTYPES:
                busy(dtype, *size)
        return
    _bench.table(HEAD, [cell(dtype, N, D, V) for dtype in DTYPES])
    masked()
    for dtype in DTYPES:
        tax(dtype)


if __name__ == "__main__":
    main()
