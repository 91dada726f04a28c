"""Latency: import, --help, and one prediction with a loaded model."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import _bench

import lossworks

REVIEWS = Path(lossworks.__file__).parent / "data" / "reviews.csv"


def main() -> None:
    """Print medians and targets."""
    _bench.machine()
    nothing = _wall(["-c", "pass"])
    rows = [
        ("import lossworks", _wall(["-c", "import lossworks"]) - nothing, 0.3),
        ("lossworks --help", _wall(["-m", "lossworks", "--help"]), 0.5),
        ("predict one text, loaded", _predict(), 0.001),
    ]
    _bench.table(("", "median s", "promised, under s"), rows)


def _wall(arguments: list[str]) -> float:
    times = []
    for _ in range(11):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _predict() -> float:
    with tempfile.TemporaryDirectory() as folder:
        lossworks.fit(REVIEWS, out=f"{folder}/run", epochs=3)
        model = lossworks.load(f"{folder}/run")
    assert isinstance(model, lossworks.Model)
    times = []
    for number in range(1000):
        start = time.perf_counter()
        model.predict_proba([f"I love this product, number {number}!"])
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    main()
