"""Frozen states: a layer of ours over what a pretrained encoder says of texts, beside scikit-learn's on the same states.

    LOSSWORKS_DATA      folder with movie-reviews and trec
    LOSSWORKS_ENCODER   a directory of Hugging Face's form, such as all-MiniLM-L6-v2's
    LOSSWORKS_VECTORS   a file of word vectors, if there is one

Of each data set all training rows, and 8 a class in 10 draws; accuracy on the test rows. Texts are read once, and fits then look
their states up, so the seconds of a fit (of the processor) are those beyond the reading.
"""

from __future__ import annotations

import os
import random
import sys
import time
import warnings
from collections import defaultdict
from typing import Any

import _bench
import numpy as np
from numpy.typing import NDArray

import lossworks

DRAWS, EACH = 10, 8
INVERSES = (1.0, 0.1)
"""scikit-learn's C: its own, and one that suits states of this length better."""


def main() -> None:
    """Print the table."""
    encoder, vectors = os.environ.get("LOSSWORKS_ENCODER"), os.environ.get("LOSSWORKS_VECTORS")
    if not encoder:
        sys.exit("skipped: LOSSWORKS_ENCODER names no directory of an encoder")
    _bench.data()
    _bench.machine()
    rows = []
    for spec in [f"hf:{encoder},frozen", *([f"vectors:{vectors}"] if vectors else [])]:
        for name, load in (("movie-reviews", _bench.movie_reviews), ("trec", _bench.trec)):
            rows += measured(spec, name, *load(0))
    head = [
        "model",
        "data",
        "training rows",
        "reading, s",
        "Lossworks",
        "s",
        *(f"scikit-learn, C={c:g}" if not i else "s" for c in INVERSES for i in range(2)),
    ]
    _bench.table(head, rows)


def measured(spec: str, name: str, train: _bench.Pairs, test: _bench.Pairs) -> list[list[Any]]:
    """The two rows of one model and one data set."""
    few = [draw(train, seed) for seed in range(DRAWS)]
    found: list[list[Any]] = []
    began = time.process_time()
    with _bench.looked_up(spec, [text for text, _ in train + test]) as known:
        reading = time.process_time() - began
        for draws, of, seconds in (([train], "", reading), (few, f", mean of {DRAWS} draws", "")):
            said = f"{len(draws[0]):,}{of}"
            found.append([spec.partition(":")[0], name, said, seconds, *sides(spec, draws, test, known)])
    return found


def draw(train: _bench.Pairs, seed: int) -> _bench.Pairs:
    """``EACH`` rows of each class."""
    of: dict[str, _bench.Pairs] = defaultdict(list)
    for text, label in train:
        of[label].append((text, label))
    chosen = random.Random(seed)
    return [row for label in sorted(of) for row in chosen.sample(of[label], EACH)]


def sides(spec: str, draws: list[_bench.Pairs], test: _bench.Pairs, known: dict[str, NDArray[np.float32]]) -> list[float]:
    """Mean accuracy and seconds of a fit: ours, and scikit-learn's at each C."""
    from sklearn.linear_model import LogisticRegression

    said, labels = np.stack([known[text] for text, _ in test]), np.array([label for _, label in test])
    found: list[list[float]] = [[] for _ in range(6)]
    for rows in draws:
        began = time.process_time()
        model = lossworks.fit(rows, model=spec, test=test)
        seconds = [time.process_time() - began]
        right = [model.metrics["accuracy"]["value"]]
        states, given = np.stack([known[text] for text, _ in rows]), [label for _, label in rows]
        for inverse in INVERSES:
            theirs = LogisticRegression(C=inverse, max_iter=1000)
            began = time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                theirs.fit(states, given)
            seconds.append(time.process_time() - began)
            right.append(float((theirs.predict(said) == labels).mean()))
        for column, value in zip(found, (one for pair in zip(right, seconds, strict=True) for one in pair), strict=True):
            column.append(value)
    return [float(np.mean(column)) for column in found]


if __name__ == "__main__":
    main()
