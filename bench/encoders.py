"""Encoders, `linear` and `bag`: nll and accuracy on held-out training rows at the best epoch, our defaults, by seed.

LOSSWORKS_DATA=… python bench/encoders.py [SEEDS [MODEL …]]

The test sets are not used: the defaults are chosen by these results.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from typing import Any

import _bench

import lossworks
from lossworks.engine import Callbacks

MODELS = ("linear", "bag", "transformer_encoder", "rnn_encoder")
HELD_OUT = 0.15


def main(seeds: int, models: tuple[str, ...]) -> None:
    """Print a table for each data set."""
    _bench.machine()
    for name in ("movie_reviews", "trec"):
        rows = []
        for model in models:
            runs = [_run(getattr(_bench, name)(seed)[0], model, seed) for seed in range(seeds)]
            means = [statistics.mean(column) for column in zip(*runs, strict=True)]
            spread = statistics.stdev(run[0] for run in runs) if seeds > 1 else 0.0
            rows.append((model, means[0], spread, *means[1:]))
        print(f"{name}, {seeds} seeds\n")
        _bench.table(("", "nll", "standard deviation", "accuracy", "best epoch", "s"), rows)


def _run(pairs: _bench.Pairs, model: str, seed: int) -> tuple[float, float, float, float]:
    random.Random(seed).shuffle(pairs)
    cut = round(HELD_OUT * len(pairs))
    seen: list[dict[str, Any]] = []
    callbacks = Callbacks(watch=lambda event, fields: seen.append(fields) if event == "valid" else None)
    began = time.monotonic()
    lossworks.fit(pairs[cut:], valid=pairs[:cut], test=0, model=model, seed=seed, callbacks=callbacks)
    best = min(range(len(seen)), key=lambda epoch: seen[epoch]["nll"])
    return seen[best]["nll"], seen[best]["accuracy"], best + 1, time.monotonic() - began


if __name__ == "__main__":
    given = sys.argv[1:]
    main(int(given[0]) if given else 3, tuple(given[1:]) or MODELS)
