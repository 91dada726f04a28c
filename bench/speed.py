"""`linear` against fastText on the dynasty of 311,828 poems: from the file to a trained model, and its test accuracy."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import _bench

OURS = """
import json, sys, time
import lossworks, lossworks.training, numba, torch
from lossworks import ReadOptions
from lossworks.api import evaluate
train, test, epochs = sys.argv[1:]
read = ReadOptions(text="text", label="dynasty")
start = time.perf_counter()
model = lossworks.fit(train, valid=0.01, test=0, read=read, epochs=int(epochs))
seconds = time.perf_counter() - start
metrics = evaluate(model, test, read)["metrics"]
print(json.dumps({"seconds": seconds, "accuracy": metrics["accuracy"]["value"]}))
"""

THEIRS = """
import json, sys, time
import fasttext
train, test, epochs = sys.argv[1:]
start = time.perf_counter()
model = fasttext.train_supervised(train, epoch=int(epochs), wordNgrams=2, thread=2, verbose=0)
seconds = time.perf_counter() - start
pairs = [line.rstrip("\\n").partition(" ")[::2] for line in open(test, encoding="utf-8")]
labels, _ = model.predict([text for _, text in pairs])
right = sum(l[0] == true for l, (true, _) in zip(labels, pairs)) / len(pairs)
print(json.dumps({"seconds": seconds, "accuracy": right}))
"""


def main() -> None:
    """Print the table: fastText at each number of epochs, ours at one."""
    _bench.machine()
    with tempfile.TemporaryDirectory() as folder:
        train, test = _bench.poetry(Path(folder))
        files = [str(train), str(test)]
        words = [str(path.with_suffix(".txt")) for path in (train, test)]
        _bench.run(sys.executable, OURS, *files, "1")  # compiles, once
        sides = {
            f"lossworks linear, {n} epochs at most": (lambda n=n: _bench.run(sys.executable, OURS, *files, str(n)))
            for n in (1, 2)
        }
        sides |= {
            f"fastText bigrams, {n} epochs": (lambda n=n: _bench.run(_bench.peers(), THEIRS, *words, str(n))) for n in (1, 3, 5)
        }
        results = _bench.in_turn(sides, rounds=3)
    fastest = results["lossworks linear, 1 epochs at most"]["seconds"]
    rows = [(n, r["seconds"], r["seconds"] / fastest, r["accuracy"], r["memory"]) for n, r in results.items()]
    _bench.table(("", "file to model, s", "times ours at 1 epoch", "test accuracy", "peak MB"), rows)


if __name__ == "__main__":
    main()
