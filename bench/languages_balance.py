"""Do balanced draws and the worst group as the aim help the worst language? Tweets of AfriSenti in four languages, one model.

bench/languages_balance.py [SEEDS] [PART]   macro-F1 by language on `test` (or `dev`, by which the arms were chosen), `linear`

Every arm is trained with the same seeds, which decide the validation rows, the order and the first weights. Intervals are 95 %,
of a bootstrap over seeds and over each language's tweets, the same for all arms.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import _bench
import numpy as np
from numpy.typing import NDArray

import lossworks
from lossworks import ReadOptions
from lossworks.api import Model

LANGUAGES, LABELS, ROUNDS = ("hau", "ibo", "swa", "yor"), ("negative", "neutral", "positive"), 2000
BALANCED = {"balance": "unimax"}
WORST = {**BALANCED, "risk": "group_dro:step=0.001", "groups": "language,label"}
ARMS: dict[str, dict[str, Any]] = {"proportional": {}, "unimax": BALANCED, "unimax, group_dro of language,label": WORST}
READ = ReadOptions(text="text", label="label", language="language")


def tweets(part: str) -> list[dict[str, str]]:
    """The rows of a part in all languages."""
    found = []
    for language in LANGUAGES:
        path: Path = _bench.data() / "afrisenti" / language / f"{part}.tsv"
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]
            good = (row for row in rows if len(row) == 2 and row[0].strip())
            found += [{"text": text, "label": label.strip(), "language": language} for text, label in good]
    return found


def macro_f1(answers: NDArray[Any], truth: NDArray[Any], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each round and seed [R, S]; answers [S, N], truth [N], weight of each row in each round [R, N]."""
    f1 = []
    for label in range(len(LABELS)):
        said, true = answers == label, truth == label
        both, either = weight @ (said & true).T, weight @ (said.astype(float) + true).T
        f1.append(2 * both / np.maximum(either, 1e-9))
    return np.asarray(np.mean(f1, 0))


def main(seeds: int, part: str) -> None:
    """Train the arms and print the table."""
    train, held_out = tweets("train"), tweets(part)
    texts, truth = [row["text"] for row in held_out], np.array([LABELS.index(row["label"]) for row in held_out])
    of = np.array([row["language"] for row in held_out])
    answers: dict[str, list[list[int]]] = {arm: [] for arm in ARMS}
    for seed in range(seeds):
        for arm, choices in ARMS.items():
            model = lossworks.fit(train, read=READ, model="linear", test=0.0, seed=seed, **choices)
            assert isinstance(model, Model)
            answers[arm].append([LABELS.index(label) for label in model.predict(texts)])
            print(seed, arm, model.record["result"]["epochs"], flush=True)
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(seeds, np.full(seeds, 1 / seeds), ROUNDS) / seeds  # the first round is the estimate
    drawn[0] = 1 / seeds
    found: dict[str, NDArray[np.float64]] = {arm: np.empty((len(LANGUAGES), ROUNDS)) for arm in ARMS}
    for number, language in enumerate(LANGUAGES):
        here = np.flatnonzero(of == language)
        weight = rng.multinomial(len(here), np.full(len(here), 1 / len(here)), ROUNDS).astype(np.float64)
        weight[0] = 1
        for arm in ARMS:
            scores = macro_f1(np.array(answers[arm])[:, here], truth[here], weight)
            found[arm][number] = (scores * drawn).sum(1)
    first = found["proportional"]
    rows = []
    for arm, scores in found.items():
        mean, worst = scores.mean(0), scores.min(0)
        apart = ["", ""] if scores is first else [_interval(worst - first.min(0)), _interval(mean - first.mean(0))]
        rows.append([arm, *(f"{value:.3f}" for value in (*scores[:, 0], mean[0])), *apart])
    _bench.table(["draws and risk", *LANGUAGES, "mean", "worst, difference", "mean, difference"], rows, "languages-balance")


def _interval(differences: NDArray[np.float64]) -> str:
    low, high = np.quantile(differences[1:], [0.025, 0.975])
    return f"{differences[0]:+.3f} ({low:+.3f} to {high:+.3f})"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, sys.argv[2] if len(sys.argv) > 2 else "test")
