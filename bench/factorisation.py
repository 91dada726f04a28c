"""The sparse-matrix loss over poem-by-character counts: its cost against the stored cells, the width, and the dense sum."""

from __future__ import annotations

import json
import statistics
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import _bench
import torch

from lossworks.losses import SparseMatrix

LOSS: Any = SparseMatrix()


def main() -> None:
    """Print seconds for value and both gradients, and seconds for each stored cell and unit of width."""
    _bench.machine()
    rows = []
    for poems in (20_000, 40_000, 80_000):
        counts = _counts(poems)
        for width in (16, 64):
            seconds = _time(partial(LOSS.factorisation, counts), counts, width)
            cells = counts.values().numel()
            rows.append((f"{poems:,} x {counts.shape[1]:,}", f"{cells:,}", width, seconds, seconds / cells / width * 1e9))
    _bench.table(("matrix", "stored cells", "width", "seconds", "ns a cell and unit"), rows)
    counts = _counts(4_000)
    whole = counts.to_dense()
    ours = _time(lambda left, right: LOSS.factorisation(counts, left, right), counts, 64)
    dense = _time(lambda left, right: (whole - left @ right.T).square().sum(), counts, 64)
    head = (f"4,000 x {counts.shape[1]:,}, width 64", "seconds")
    _bench.table(head, [("stored cells alone", ours), ("every cell (dense)", dense), ("dense / ours", dense / ours)])


def _counts(poems: int) -> torch.Tensor:
    """How often each character stands in each of the first poems, as CSR."""
    numbers: dict[str, int] = {}
    starts, columns, values = [0], list[int](), list[int]()
    with (_bench.data() / "poetry.jsonl").open(encoding="utf-8") as file:
        for _, line in zip(range(poems), file, strict=False):
            found = Counter(character for character in json.loads(line)["text"] if character.isalpha())
            columns += [numbers.setdefault(character, len(numbers)) for character in found]
            values += found.values()
            starts.append(len(columns))
    size = (len(starts) - 1, len(numbers))
    return torch.sparse_csr_tensor(torch.tensor(starts), torch.tensor(columns), torch.tensor(values, dtype=torch.float32), size)


def _time(loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], counts: torch.Tensor, width: int) -> float:
    left, right = (torch.randn(side, width, requires_grad=True) for side in counts.shape)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        loss(left, right).backward()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    main()
