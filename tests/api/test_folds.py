"""``fit(folds=…)``: every row answered by a model that was trained without it, and the model kept trained on all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import lossworks
from lossworks import metrics
from lossworks.api.cross_validation import cuts
from lossworks.core.errors import DataError, UsageError
from lossworks.tasks import Classify, LabelTask, Multilabel
from lossworks.training import Settings

BAYES = {"model": "naive_bayes:chars=0"}
LINEAR = {"model": "linear:bits=8,chars=0", "epochs": 1}


def test_no_row_is_answered_by_a_model_that_saw_its_text(tmp_path: Path) -> None:
    """Labels that only the text itself tells are guessed: each text stands several times, and its repeats go with it."""
    draw = np.random.default_rng(0)
    rows = [(f"word{i // 3}", ("a", "b")[label]) for i, label in enumerate(np.repeat(draw.integers(0, 2, 80), 3))]
    model = lossworks.fit(rows, folds=4, out=tmp_path / "run", **BAYES)
    assert model.predict([text for text, _ in rows]) == [label for _, label in rows]  # it has read them all
    said = pl.read_parquet(tmp_path / "run" / "folds.parquet")
    assert said["row"].to_list() == list(range(1, 241))
    assert said["fold"].value_counts()["count"].to_list() == [60] * 4
    assert said.group_by("text").agg(pl.col("fold").n_unique())["fold"].max() == 1
    right = (said["predicted"] == said["label"]).mean()
    assert 0.2 < right < 0.8
    result = model.record["result"]
    assert (result["part"], result["rows"], result["texts"], result["refit_rows"]) == ("out-of-fold", 240, 80, 240)
    assert result["metrics"]["accuracy"]["value"] == pytest.approx(right)
    assert result["metrics"]["accuracy"]["high"] - result["metrics"]["accuracy"]["low"] > 0.2  # 80 texts, and not 240
    chosen = [row[f"probability:{row['label']}"] for row in said.to_dicts()]
    assert result["metrics"]["nll"]["value"] == pytest.approx(-np.log(chosen).mean())
    assert [fold["rows"] for fold in result["folds"]] == [60] * 4
    of_folds = np.array([fold["accuracy"] for fold in result["folds"]])
    assert result["trainings"]["accuracy"]["value"] == pytest.approx(right) == of_folds.mean()
    assert lossworks.load(tmp_path / "run").record["given"]["folds"] == 4
    assert "out-of-fold texts" in (tmp_path / "run" / "report.html").read_text("utf-8")


def test_the_columns_of_labels() -> None:
    """Numbers as labels, which sort otherwise than their names; sets, with thresholds of each model's own; and quantities."""
    texts = [f"{('x y', 'y z', 'z')[i % 3]} w{i}" for i in range(90)]
    classes = lossworks.fit([(text, (2, 10, 30)[i % 3]) for i, text in enumerate(texts)], folds=3, task="classify", **BAYES)
    assert classes.metrics["accuracy"]["value"] > 0.95
    assert classes.record["result"]["folds"][0]["nll"] < 0.5
    weighted = [(text, ("a", "b")[i % 3 == 0], 1 + i % 2) for i, text in enumerate(texts)]
    two = lossworks.fit(weighted, folds=2, class_weight="balanced", **LINEAR)
    assert two.metrics["accuracy"]["value"] > 0.9
    sets = lossworks.fit([(text, [["p"], ["p", "q"], ["q"]][i % 3]) for i, text in enumerate(texts)], folds=2, **LINEAR)
    assert 0 <= sets.metrics["micro_f1"]["low"] < sets.metrics["micro_f1"]["value"]
    numbers = lossworks.fit([(text, float(i % 3) + i / 900) for i, text in enumerate(texts)], folds=2, task="regress", **LINEAR)
    assert len(numbers.record["result"]["folds"]) == 2


@pytest.mark.parametrize(
    ("task", "thresholds"), [(Classify(labels=("a", "b")), [0.8]), (Multilabel(labels=("a", "b", "c")), [0.1, 0.5, 0.9])]
)
def test_thresholds_of_each_model(task: LabelTask, thresholds: list[float]) -> None:
    """Logits are moved so that a cut at 0.5 answers as the model's own thresholds do."""
    logits = np.random.default_rng(0).normal(size=(200, len(task.labels))) * 2
    want = task.decide(task.probabilities(logits), thresholds)
    assert task.decide(task.probabilities(logits - cuts(task, thresholds)), None) == want
    assert want != task.decide(task.probabilities(logits), None)


def test_the_interval_for_other_trainings() -> None:
    """Student's, with the variance of the mean times 1 + K / (K - 1) for what the training sets share."""
    found = metrics.over_trainings(np.array([0.7, 0.8, 0.9]))
    assert found.value == pytest.approx(0.8)
    assert found.high - found.value == pytest.approx(found.value - found.low) == pytest.approx(4.302653 * (5 / 6 * 0.01) ** 0.5)


def test_what_folds_do_not_go_with(tmp_path: Path) -> None:
    """Each with what to do about it."""
    rows = [(f"w{i}", "ab"[i % 2]) for i in range(40)]
    for how, why in (
        ({"test": 0.2}, "--test does not go with --folds"),
        ({"settings": Settings(test=0.2)}, "--test does not go with --folds"),
        ({"valid": rows}, "--valid FILE or --test FILE does not"),
        ({"folds": 1}, "folds"),
        ({"folds": 41}, "wanted 2 to 40"),
        ({"task": "lm", "model": None}, "--folds is for texts with labels"),
    ):
        with pytest.raises(UsageError, match=why):
            lossworks.fit(rows, **{"folds": 2, "out": tmp_path / "run", **BAYES, **how})
    with pytest.raises(DataError, match=r"label 'c' \(1\) are in one fold"):
        lossworks.fit([*rows, ("w", "c")], folds=2, **BAYES)
