"""How often is a language called worse where none is, and how far off is the worst of many estimates?

bench/by_language.py [DATASETS]   made-up losses of 20 or 200 alike languages: what is called, and what intervals hold at once
"""

from __future__ import annotations

import sys

import _bench
import numpy as np

from lossworks.data import Languages
from lossworks.evidence.by_language import of_arms
from lossworks.evidence.verdicts import Measured
from lossworks.metrics import Interval, Losses, by_language

TEXTS, SEEDS = 50, 4


def _alike(datasets: int, count: int) -> list[object]:
    """Of data sets of exponential losses whose mean is 1 in every language."""
    rng, rows = np.random.default_rng(0), TEXTS * count
    languages = Languages(tuple(f"l{n:03}" for n in range(count)), np.arange(rows, dtype=np.int32) % count)
    called = hold = 0
    worst = []
    for _ in range(datasets):
        losses = Losses(rng.exponential(size=rows), np.ones(rows), np.arange(rows))
        said = by_language("nll", losses, languages, lambda rows: {"nll": Interval(0, 0, 0)})["rows"]
        called += any(row["word"] in ("harder", "easier") for row in said)
        hold += all(row["corrected"]["low"] <= 1 <= row["corrected"]["high"] for row in said)
        worst.append(said[0]["loss"])
    return [count, _percent(called, datasets), _percent(hold, datasets), f"{np.median(worst):.2f}"]


def _arms(datasets: int, count: int) -> str:
    """Of comparisons of two arms that do not differ in any language."""
    rng, rows, called = np.random.default_rng(0), TEXTS * count, 0
    languages = Languages(tuple(f"l{n:03}" for n in range(count)), np.arange(rows, dtype=np.int32) % count)
    for _ in range(datasets):
        arms = [
            Measured(
                name=name,
                rows=rng.normal(0, 0.05, (SEEDS, 1)) + rng.standard_t(4, (SEEDS, rows)),
                seeds=tuple(range(SEEDS)),
                diverged=(),
            )
            for name in "ab"
        ]
        (told,) = of_arms(arms, [np.ones(rows)] * 2, None, languages, ("baseline", "better"), "nats", rising=False)
        called += any(row["word"] in ("better", "worse") for row in told["rows"])
    return _percent(called, datasets)


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


def main(datasets: int) -> None:
    """One table."""
    rows = [[*_alike(datasets, count), _arms(datasets, count)] for count in (20, 200)]
    head = ["languages", "any called harder or easier", "all intervals hold", "worst estimate (truth 1)", "any arm called"]
    _bench.table(head, rows, "by-language")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
