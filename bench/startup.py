"""Latency: import, --help, lists, and one text for a trained model, by the command and with the model loaded."""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import _bench

import lossworks

REVIEWS = Path(lossworks.__file__).parent / "data" / "reviews.csv"
ROUNDS = 5


def main() -> None:
    """Print medians and targets: seconds of the processor and of the clock."""
    _bench.machine()
    nothing, imported = _seconds(["-c", "pass"]), _seconds(["-c", "import lossworks"])
    rows: list[tuple[str, float, float, float]] = []
    rows.append(("import lossworks", imported[0] - nothing[0], imported[1] - nothing[1], 0.3))
    rows += [(f"lossworks {verb}", *_command(verb), 0.5) for verb in ("--help", "fit --help")]
    kinds = ("losses", "models", "optimizers", "penalties", "risks", "balances", "schedules", "rules")
    rows += [(f"lossworks list {kind}", *_command(f"list {kind}"), 0.3) for kind in kinds]
    with tempfile.TemporaryDirectory() as folder:
        lossworks.fit(REVIEWS, out=f"{folder}/linear", epochs=3)
        lossworks.fit(REVIEWS, out=f"{folder}/ngram", model="ngram")
        rows.append(("lossworks predict, linear", *_command(f"predict {folder}/linear good"), 1.0))
        rows.append(("lossworks predict, ngram", *_command(f"predict {folder}/ngram good"), 1.0))
        rows.append(("predict one text, loaded", *_loaded(f"{folder}/linear"), 0.001))
    told = [(what, cpu, clock, wanted, "yes" if clock <= wanted else "no") for what, cpu, clock, wanted in rows]
    _bench.table(("", "median CPU s", "median s", "promised, under s", "met"), told)


def _command(verb: str) -> tuple[float, float]:
    return _seconds(["-m", "lossworks", *verb.split()])


def _seconds(arguments: list[str]) -> tuple[float, float]:
    """Of the processor and of the clock, medians."""
    cpu, clock = [], []
    for _ in range(ROUNDS):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        clock.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(cpu), statistics.median(clock)


def _loaded(run: str) -> tuple[float, float]:
    """The same of one question after another."""
    model = lossworks.load(run)
    assert isinstance(model, lossworks.Model)
    cpu, clock = [], []
    for number in range(1000):
        before, start = time.process_time(), time.perf_counter()
        model.predict_proba([f"I love this product, number {number}!"])
        clock.append(time.perf_counter() - start)
        cpu.append(time.process_time() - before)
    return statistics.median(cpu), statistics.median(clock)


if __name__ == "__main__":
    main()
