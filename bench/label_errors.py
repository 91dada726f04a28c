"""Wrong labels found by `check_labels`, beside cleanlab, and how often a hand check's interval holds the true number of them.

    LOSSWORKS_DATA=… LOSSWORKS_PEERS=… python bench/label_errors.py [DATASET …]

NoisyAG-News was labelled by people, and has true labels beside. In the other data sets mistakes are planted: any label for any
other ("uniform"), each for the next one ("next"), or the first for any ("default", as by people who are in doubt). AUC is the
chance that a wrong row is ranked before a right one, AP the average precision. cleanlab ranks by its default score, from TF-IDF
and logistic regression with as many folds; its two counts of errors are printed too.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import _bench
import numpy as np
from numpy.typing import NDArray

from lossworks.checks.hand_check import Design
from lossworks.checks.stratified import Sampled

OURS = """
import json, sys, time
import lossworks
rows, model = json.load(open(sys.argv[1])), json.loads(sys.argv[2])
began = time.perf_counter()
found = lossworks.check_labels(rows, model=model)
print(json.dumps({"seconds": time.perf_counter() - began, "loss": found.loss.tolist()}))
"""
CLEANLAB = """
import json, sys, time, warnings
warnings.filterwarnings("ignore")
import numpy as np
from cleanlab.count import num_label_issues
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
rows = json.load(open(sys.argv[1]))
names = sorted({label for _, label in rows})
target = np.array([names.index(label) for _, label in rows])
began = time.perf_counter()
pipe = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10, max_iter=1000))
folds = StratifiedKFold(5, shuffle=True, random_state=0)
p = cross_val_predict(pipe, [text for text, _ in rows], target, cv=folds, method="predict_proba")
score = get_label_quality_scores(target, p)
seconds = time.perf_counter() - began
counts = [int(find_label_issues(target, p).sum()), int(num_label_issues(target, p))]
print(json.dumps({"seconds": seconds, "loss": (-score).tolist(), "counts": counts}))
"""
SIDES: dict[str, list[str] | None] = {
    "lossworks": None,
    "naive Bayes alone": ["ngram:order=1,smoothing=additive,delta=0.3"],
    "`linear` alone": ["linear"],
}
SAMPLES, DRAWS = (50, 100, 200, 400), 200

Rows = list[tuple[str, str]]


def main(wanted: list[str]) -> None:
    """Print AUC and AP of every data set, then the coverage on their rankings and on extreme ones."""
    _bench.machine()
    rankings: dict[str, NDArray[np.bool_]] = {}
    table = []
    for name, rows, wrong in datasets():
        if not wanted or name in wanted:
            for side, found in sides(rows):
                loss = np.array(found["loss"])
                counts = f"claims {' and '.join(map(str, found['counts']))} errors" if "counts" in found else ""
                table.append([name, int(wrong.sum()), side, auc(wrong, loss), precision(wrong, loss), found["seconds"], counts])
                if side == "lossworks":
                    rankings[name] = wrong[np.argsort(-loss, kind="stable")]
    _bench.table(["data", "wrong rows", "", "AUC", "AP", "s", ""], table, "label-errors")
    rankings |= dict(extremes())
    print(f"Coverage of the 95 % interval for the number of wrong labels, {DRAWS} draws each, and its mean width\n")
    head = ["ranking", "wrong rows", *(f"{sample} looked at" for sample in SAMPLES)]
    covered = [[name, int(ranked.sum()), *(coverage(ranked, sample) for sample in SAMPLES)] for name, ranked in rankings.items()]
    _bench.table(head, covered, "coverage")


def sides(rows: Rows) -> Iterator[tuple[str, dict[str, Any]]]:
    """What each side says of the rows, one after the other, each in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.json")
        path.write_text(json.dumps(rows), "utf-8")
        for side, model in SIDES.items():
            yield side, _bench.run(sys.executable, OURS, str(path), json.dumps(model))
        yield "cleanlab, TF-IDF + LR", _bench.run(_bench.peers(), CLEANLAB, str(path))


def datasets() -> Iterator[tuple[str, Rows, NDArray[np.bool_]]]:
    """Rows with the labels given, and which of those are wrong."""
    path = _bench.data() / "noisy-ag-news" / "samples10000valMed.csv"
    with path.open(encoding="utf-8", newline="") as file:
        people = list(csv.DictReader(file))
    wrong = np.array([row["label"] != row["gt"] for row in people])
    yield "NoisyAG-News", [(row["text"], row["label"]) for row in people], wrong
    for name in ("trec", "movie_reviews", "ag_news"):
        rows = getattr(_bench, name)(0)[0]
        for kind, rate in (("uniform", 0.05), ("next", 0.2), ("default", 0.2)):
            yield f"{name}, {kind} {rate:.0%}", *planted(rows, kind, rate)


def planted(rows: Rows, kind: str, rate: float) -> tuple[Rows, NDArray[np.bool_]]:
    """The rows with mistakes of a kind at a rate of the rows, and which they are."""
    draw = np.random.default_rng(0)
    names = sorted({label for _, label in rows})
    true = np.array([names.index(label) for _, label in rows])
    hit = draw.random(len(rows)) < rate
    other = {"uniform": draw.integers(1, len(names), len(rows)), "next": np.ones(len(rows), int), "default": -true}[kind]
    given = np.where(hit, true + other, true) % len(names)
    return [(text, names[label]) for (text, _), label in zip(rows, given, strict=True)], given != true


def extremes() -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Rankings that data rarely has: nothing wrong, a few in the last places, a ranking that tells nothing, all but a few."""
    draw = np.random.default_rng(0)
    yield "none wrong", np.zeros(10_000, np.bool_)
    yield "five among the last", np.arange(10_000) >= 9_995
    yield "1 %, ranked at random", draw.random(10_000) < 0.01
    yield "half, ranked at random", draw.random(10_000) < 0.5
    yield "all but eight", np.arange(10_000) % 1250 != 7


def coverage(ranked: NDArray[np.bool_], sample: int) -> str:
    """In how many of the draws the interval holds the number of wrong rows, and its mean width."""
    design = Design.of(len(ranked), sample, 0)
    rows, drawn = np.array(design.rows), np.array(design.drawn)
    wrong = np.add.reduceat(ranked.astype(np.int64), [0, *design.ends[:-1]])
    draw = np.random.default_rng(sample)
    ends = [Sampled(rows, drawn, draw.hypergeometric(wrong, rows - wrong, drawn)).interval() for _ in range(DRAWS)]
    held = np.mean([low <= wrong.sum() <= high for low, high in ends])
    return f"{held:.3f} ({np.mean([high - low for low, high in ends]):,.0f})"


def auc(wrong: NDArray[np.bool_], loss: NDArray[np.float64]) -> float:
    """The chance that a wrong row has the higher loss."""
    order = np.argsort(loss, kind="stable")
    ranks = np.empty(len(loss))
    ranks[order] = np.arange(1, len(loss) + 1)
    bad = int(wrong.sum())
    return float((ranks[wrong].sum() - bad * (bad + 1) / 2) / (bad * (len(loss) - bad)))


def precision(wrong: NDArray[np.bool_], loss: NDArray[np.float64]) -> float:
    """The mean precision at each wrong row."""
    hits = wrong[np.argsort(-loss, kind="stable")]
    return float((hits.cumsum() / np.arange(1, len(hits) + 1))[hits].mean())


if __name__ == "__main__":
    main(sys.argv[1:])
