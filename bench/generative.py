"""Classification by language models and by `linear`: accuracy and nll with our defaults, paired by seed.

LOSSWORKS_DATA=… python bench/generative.py [SEEDS]
"""

from __future__ import annotations

import statistics
import sys
from typing import Any

import _bench

import lossworks

SIDES: dict[str, dict[str, Any]] = {
    "linear": {"model": "linear"},
    "ngram:order=1, words": {"model": "ngram:order=1"},
    "ngram:order=3, words": {"model": "ngram:order=3"},
    "ngram:order=6, chars": {"model": "ngram:order=6", "tokens": "chars"},
    "hmm:states=8, words": {"model": "hmm:states=8,iterations=20", "tokens": "words:min_count=2"},
}


def main(seeds: int) -> None:
    """Print a table for each data set."""
    _bench.machine()
    for name in ("movie_reviews", "trec", "ag_news"):
        rows = []
        for side, choices in SIDES.items():
            found = []
            for seed in range(seeds):
                train, test = getattr(_bench, name)(seed)
                found.append(lossworks.fit(train, test=test, seed=seed, **choices).metrics)
            means = [statistics.mean(metrics[key]["value"] for metrics in found) for key in ("accuracy", "nll", "ece")]
            rows.append([side, *means])
        print(f"### {name}\n")
        _bench.table(["", "accuracy", "nll", "ECE"], rows)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
