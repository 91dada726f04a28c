"""``evaluate`` with losses: the means of any that fit, worked out again from what the model says; why others do not fit."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lossworks
from lossworks import losses
from lossworks.api import Graph, Language, Model, evaluate
from lossworks.core.errors import UsageError
from lossworks.tasks import GraphCompletion, LanguageModeling

SMALL: dict[str, Any] = {"model": "linear:bits=10", "epochs": 2}
FACTS = [f"e{n}\tr{n % 3}\te{(n * 7 + n % 3) % 20}" for n in range(60)]
LABELS: dict[str, Any] = {
    "two": lambda n: "yes" if n % 3 else "no",
    "many": lambda n: "abc"[n % 3] if n % 5 else "d",
    "sets": lambda n: [["p"], ["p", "q"], []][n % 3],
    "numbers": lambda n: 100 + 10.0 * (n % 3) + n / 50,
}
TASKS = {"two": "classify", "many": "classify", "sets": "multilabel", "numbers": "regress"}


def rows(kind: str, count: int = 150) -> list[dict[str, Any]]:
    """Texts that mostly tell their labels, some of them twice, of unequal weight."""
    rng = random.Random(1)
    return [
        {"text": f"word{n % 3 if rng.random() < 0.8 else 7} n{n // 2 % 40}", "label": LABELS[kind](n), "w": 1 + n % 4}
        for n in range(count)
    ]


@pytest.fixture(scope="module", params=list(LABELS))
def fitted(request: pytest.FixtureRequest) -> tuple[str, Any]:
    """A model of each task of labels."""
    return request.param, lossworks.fit(rows(request.param), task=TASKS[request.param], **SMALL)


READ = lossworks.ReadOptions(weight="w")


def test_labels(fitted: tuple[str, Any]) -> None:
    """The loss that a metric is the mean of has its value, interval and baseline; another is what the formula says."""
    kind, model = fitted
    own, metric = {"numbers": ("mse", "mse"), "two": ("binary_cross_entropy", "nll")}.get(kind, ("cross_entropy", "nll"))
    other = "huber:delta=5" if kind == "numbers" else "focal:gamma=2"
    data = rows(kind, 90)
    found = evaluate(model, data, READ, losses=[own, other])
    told = found["losses"]
    assert list(told["metrics"]) == [own, other]
    labels = len(model.labels) if kind == "sets" else 1  # whose mean is a loss, and whose sum the nll
    for side, beside in ((told["metrics"], found["metrics"]), (told["baseline"]["metrics"], found["baseline"]["metrics"])):
        assert {bound: labels * value for bound, value in side[own].items()} == pytest.approx(beside[metric])
    texts, weights = [row["text"] for row in data], np.array([row["w"] for row in data])
    if kind == "numbers":
        apart = np.abs(np.array(model.predict(texts)) - [row["label"] for row in data])
        values = np.where(apart <= 5, apart**2 / 2, 5 * (apart - 2.5))
    else:
        chances = model.predict_proba(texts)
        true = np.array([[label in np.atleast_1d(row["label"]).tolist() for label in model.labels] for row in data])
        p = np.where(true, chances, 1 - chances) if kind == "sets" else chances[true][:, None]
        values = (-((1 - p) ** 2) * np.log(p)).mean(1)
    assert told["metrics"][other]["value"] == pytest.approx(float(weights @ values / weights.sum()), rel=1e-5)


def test_counts() -> None:
    """A loss that asks how often classes occur is told of the training rows."""
    model = lossworks.fit(rows("many"), **SMALL)
    assert isinstance(model, Model)
    data = rows("many", 40)
    given = losses.ClassBalanced(counts=tuple(map(float, model.record["data"]["train_counts"])))
    (by_spec,) = evaluate(model, data, losses=["class_balanced"])["losses"]["metrics"].values()
    (by_counts,) = evaluate(model, data, losses=[given])["losses"]["metrics"].values()
    assert by_spec == by_counts
    assert by_spec["value"] != evaluate(model, data)["metrics"]["nll"]["value"]


@pytest.mark.parametrize("unit", ["line", "file"])
def test_texts(tmp_path: Path, unit: str) -> None:
    """Of a language model the means are over positions and the intervals over texts, or segments of a single one."""
    lines = [f"the {'cat' if n % 2 else 'dog'} sees w{n % 7} ." for n in range(200)]
    (tmp_path / "text.txt").write_text("\n".join(lines), "utf-8")
    model = lossworks.fit(tmp_path / "text.txt", task="lm", model="ngram:order=2", document_unit=unit)
    assert isinstance(model, Language)
    found = evaluate(model, tmp_path / "text.txt", losses=["cross_entropy", "focal:gamma=1"])
    told = found["losses"]
    for side, beside in ((told["metrics"], found["metrics"]), (told["baseline"]["metrics"], found["baseline"]["metrics"])):
        assert side["cross_entropy"] == pytest.approx(beside["nats_per_token"])
    texts = ["\n".join(lines)] if unit == "file" else lines
    p = np.exp(-np.concatenate([scored.nats for scored in model.score(texts)]))
    assert told["metrics"]["focal:gamma=1"]["value"] == pytest.approx(float((-(1 - p) * np.log(p)).mean()))


def test_facts() -> None:
    """Of a knowledge graph every fact asks twice, among all entities."""
    model = lossworks.fit(FACTS, task="graph", model="distmult:dim=4", epochs=2)
    assert isinstance(model, Graph)
    told = evaluate(model, FACTS[:20], losses=["cross_entropy"])["losses"]
    names, answer = model.trained.names, model.trained.answering()
    head, relation, tail = names.numbers(FACTS[:20], str).T
    nats = []
    for asked, by, true in ((head, relation, tail), (tail, relation + len(names.relations), head)):
        logits = answer(asked, by).astype(np.float64)
        nats.append(np.log(np.exp(logits).sum(1)) - logits[np.arange(20), true])
    assert told["metrics"]["cross_entropy"]["value"] == pytest.approx(float(np.mean(nats)), rel=1e-5)
    assert "baseline" not in told


def test_every_loss(fitted: tuple[str, Any]) -> None:
    """Every registered loss either has a finite mean within its interval, or is refused with the reason and those that fit."""
    kind, model = fitted
    task, data = model.predictor.task, rows(kind, 60)
    fitting = [entry.name for entry in losses.losses if not task.misfit(entry.thing())]
    found = evaluate(model, data, losses=fitting)["losses"]
    assert len(found["metrics"]) == len(fitting) > 4
    for side in (found["metrics"], found["baseline"]["metrics"]):
        assert all(math.isfinite(one["value"]) and one["low"] <= one["value"] <= one["high"] for one in side.values())
    for name in {entry.name for entry in losses.losses} - set(fitting):
        reason = (
            r"is not for the task .*Losses that are: |compares with a (teacher|negative) at each position, and evaluate has none"
        )
        with pytest.raises(UsageError, match=rf"the loss '{name}.*' ({reason})"):
            evaluate(model, "nowhere.csv", losses=[name])


def test_misfits_of_others() -> None:
    """So it is of language models and graphs, before anything is read."""
    texts = lossworks.fit(["a b", "b a"] * 20, task="lm", model="ngram:order=2")
    graph = lossworks.fit(FACTS, task="graph", model="distmult:dim=4", epochs=1)
    for model, kind in ((texts, LanguageModeling()), (graph, GraphCompletion())):
        name = next(entry.name for entry in losses.losses if kind.misfit(entry.thing()))
        with pytest.raises(UsageError, match="is not for the task"):
            evaluate(model, "nowhere.txt", losses=[name])
