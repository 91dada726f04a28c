"""Scores out of fold are those of models trained without the row."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import lossworks
from lossworks.checks.label_errors import settings_for
from lossworks.checks.out_of_fold import out_of_fold
from lossworks.data import k_folds, load
from lossworks.engine import Callbacks
from lossworks.tasks import Classify

BAYES = "ngram:order=1,smoothing=additive,delta=0.3"


def rows(count: int = 60) -> list[tuple[str, str]]:
    """Two classes, their words in other proportions."""
    draw = np.random.default_rng(0)
    words = {"good": ["fine", "great", "thing"], "bad": ["poor", "awful", "thing"]}
    return [(f"{' '.join(draw.choice(words[name], 4))} {i}", name) for i, name in enumerate(["good", "bad"] * (count // 2))]


def test_models_have_not_seen_the_fold(tmp_path: Path) -> None:
    """Each fold's scores are those of a model fitted by hand on the other folds, and progress is told."""
    data = rows()
    corpus = load(data)
    fold = k_folds(corpus, "classify", 3)
    task = Classify.of(corpus, np.ones(60, np.bool_))
    told: list[dict[str, object]] = []
    callbacks = Callbacks(watch=lambda event, fields: told.append({"event": event, **fields}))
    (found,) = out_of_fold(corpus, task, fold, settings_for("classify", [BAYES], 0, "cpu"), callbacks, tmp_path)
    for number in range(3):
        train = [row for row, where in zip(data, fold, strict=True) if where != number]
        model = lossworks.fit(train, model=BAYES, valid=0.0, test=0.0)
        inside = np.flatnonzero(fold == number)
        np.testing.assert_array_equal(found[inside], model.predictor.scores([data[i][0] for i in inside]))
    assert [(one["event"], one["number"], one["of"]) for one in told] == [("fold", i, 3) for i in range(3)]


def test_an_unknown_label_is_nan(tmp_path: Path) -> None:
    """Where a label stands in one fold only, the model of that fold says nothing of it."""
    data = [*rows(), ("another one", "lone")]
    corpus = load(data)
    fold = k_folds(corpus, "classify", 3)
    task = Classify.of(corpus, np.ones(61, np.bool_))
    (found,) = out_of_fold(corpus, task, fold, settings_for("classify", [BAYES], 0, "cpu"), Callbacks(), tmp_path)
    lone = task.labels.index("lone")
    np.testing.assert_array_equal(np.isnan(found[:, lone]), fold == fold[60])
    assert np.isfinite(np.delete(found, lone, 1)).all()
