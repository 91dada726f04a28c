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
from collections.abc import Sequence
from typing import Any

import _bench
import numpy as np
from numpy.typing import NDArray

import lossworks
from lossworks.data import StateFeatures
from lossworks.models import build

DRAWS, EACH = 10, 8
INVERSES = [0.01, 0.1, 1.0]
"""Among which scikit-learn's C is tuned, by cross-validation."""


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
    head = ["model", "data", "training rows", "reading, s", "Lossworks", "s", "scikit-learn, C=1", "s", "C by 3 folds", "s"]
    _bench.table(head, rows)


def measured(spec: str, name: str, train: _bench.Pairs, test: _bench.Pairs) -> list[list[Any]]:
    """The two rows of one model and one data set."""
    features: Any = build(spec).features()
    texts = list(dict.fromkeys(text for text, _ in train + test))
    features.prepare([texts])
    began = time.process_time()
    known = dict(zip(texts, features.states(texts), strict=True))
    reading = time.process_time() - began
    looked_up(type(features), known)
    few = [draw(train, seed) for seed in range(DRAWS)]
    family = spec.partition(":")[0]
    return [
        [
            family,
            name,
            f"{len(rows[0]):,}{'' if len(rows) == 1 else f', mean of {len(rows)} draws'}",
            seconds,
            *sides(spec, rows, test, known),
        ]
        for rows, seconds in (([train], reading), (few, ""))
    ]


def looked_up(kind: type[StateFeatures], known: dict[str, NDArray[np.float32]]) -> None:
    """Have features of a kind look states up, rather than read the texts again."""

    def states(self: StateFeatures, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([known[text] for text in texts])

    kind.states = states  # type: ignore[method-assign]


def draw(train: _bench.Pairs, seed: int) -> _bench.Pairs:
    """``EACH`` rows of each class."""
    of: dict[str, _bench.Pairs] = defaultdict(list)
    for text, label in train:
        of[label].append((text, label))
    chosen = random.Random(seed)
    return [row for label in sorted(of) for row in chosen.sample(of[label], EACH)]


def sides(spec: str, draws: list[_bench.Pairs], test: _bench.Pairs, known: dict[str, NDArray[np.float32]]) -> list[float]:
    """Mean accuracy and seconds of a fit: ours, scikit-learn's at C = 1, and with C tuned."""
    from sklearn.linear_model import LogisticRegression, LogisticRegressionCV

    said, labels = np.stack([known[text] for text, _ in test]), np.array([label for _, label in test])
    found: list[list[float]] = [[] for _ in range(6)]
    for rows in draws:
        began = time.process_time()
        model = lossworks.fit(rows, model=spec, test=test)
        seconds = [time.process_time() - began]
        right = [model.metrics["accuracy"]["value"]]
        states, given = np.stack([known[text] for text, _ in rows]), [label for _, label in rows]
        tuned = LogisticRegressionCV(
            Cs=INVERSES, cv=3, max_iter=300, scoring="neg_log_loss", l1_ratios=(0,), use_legacy_attributes=False
        )
        for theirs in (LogisticRegression(max_iter=1000), tuned):
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
