"""Many classes: a model that fits is chosen, one that does not is refused, and judging takes little memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import top_k_accuracy_score

import lossworks
from lossworks import metrics
from lossworks.core.errors import OutOfMemory
from lossworks.metrics import temperature
from lossworks.training import sizes

CLASSES = 550
ROWS = [(f"name{number % CLASSES} word{number % 7} y", f"label{number % CLASSES:03}") for number in range(4 * CLASSES)]


def test_a_fit_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the table of linear would be too large, bag is fitted and said so, it learns, and record and report stay small."""
    monkeypatch.setattr(sizes, "_LARGEST", 1 << 20)
    model = lossworks.fit(ROWS, out=tmp_path / "run")
    record = model.record
    assert record["config"]["model"] == "bag"
    assert any("bag instead of linear" in note and "550 classes" in note for note in record["data"]["notes"])
    assert record["result"]["metrics"]["accuracy"]["value"] > 0.9
    assert record["result"]["metrics"]["top_5_accuracy"]["value"] >= record["result"]["metrics"]["accuracy"]["value"]
    assert record["result"]["confusion"] is None
    assert len(record["result"]["per_class"]) == CLASSES
    page = (tmp_path / "run/report.html").read_text("utf-8")
    assert "500 of 550 labels" in page
    assert page.split('<h2 id="labels">')[1].split("</section>")[0].count("<bdi>label") == 500
    assert model.predict([text for text, _ in ROWS[:5000]]) == [
        model.labels[best] for best in model.predict_proba([text for text, _ in ROWS[:5000]]).argmax(1)
    ]


def test_what_was_asked_for_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that is named is fitted though its table is large, and the default stays where its table is small."""
    few = [(text, label) for text, label in ROWS if label < "label030"]
    assert lossworks.fit(few, epochs=1).record["config"]["model"] == "linear"
    monkeypatch.setattr(sizes, "_LARGEST", 1000)
    assert lossworks.fit(few, epochs=1, model="linear:chars=0").record["config"]["model"] == "linear:chars=0"
    config = lossworks.fit(few, epochs=1, optimizer="sgd").record["config"]
    assert (config["model"], config["epochs"], config["optimizer"].partition(":")[0]) == ("bag", 1, "sgd")


def test_what_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the figures and what to do, before any training; of few rows two trainings stand in memory, and both are counted."""
    spoken: list[str] = []
    watch = lossworks.engine.Callbacks(watch=lambda event, fields: spoken.append(event))
    few = ROWS[: 2 * CLASSES]
    monkeypatch.setattr(sizes, "available", lambda device: 1000)
    with pytest.raises(OutOfMemory, match=r"has .* weights, .* Try a smaller dim or vocabulary") as refused:
        lossworks.fit(few, model="bag")
    of_bag = int(str(refused.value).split("it has ")[1].split(" ")[0].replace(",", ""))
    weights = ((of_bag - 65 * CLASSES) // 64 + 1) * CLASSES  # of linear over the same words
    once = 4 * (4 * weights + 2 * CLASSES * 110)  # adagrad: weights, gradient, squares, best; scores of the rows held out, twice
    for free in (once - 4, once + 4):
        monkeypatch.setattr(sizes, "available", lambda device, free=free: free)
        with pytest.raises(OutOfMemory, match=rf"{weights:,} weights, .* are free\. Try --model bag.* or fewer features"):
            lossworks.fit(few, model="linear:chars=0,words=1", callbacks=watch)
    assert "start" not in spoken
    monkeypatch.setattr(sizes, "available", lambda device: once + 16 * weights)
    lossworks.fit(few, model="linear:chars=0,words=1", epochs=1)


def test_top_5_accuracy() -> None:
    """As scikit-learn has it; of equal scores, classes with lower numbers come first, so a constant answer knows five."""
    random = np.random.default_rng(0)
    logits, target = random.normal(size=(400, 25)), random.integers(0, 25, 400)
    found = metrics.classify(logits, target).metrics
    assert found["top_5_accuracy"].value == pytest.approx(top_k_accuracy_score(target, logits, k=5, labels=range(25)))
    tied = metrics.classify(np.zeros((400, 25)), target).metrics
    assert tied["top_5_accuracy"].value == pytest.approx((target < 5).mean())
    assert "top_5_accuracy" not in metrics.classify(logits[:, :19], target % 19).metrics


def test_judging_takes_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """No table of classes x classes is made; a temperature is found from some of the rows, and is about that of all."""
    random, rows, classes = np.random.default_rng(0), 600, 5000
    target = random.integers(0, classes, rows)
    logits = random.normal(size=(rows, classes)).astype(np.float32)
    logits[np.arange(rows), target] += random.normal(4, 1, rows)
    whole = metrics.fit_temperature(logits, target)
    monkeypatch.setattr(temperature, "MOST", (100_000, rows * classes // 2))
    tracemalloc.start()
    found, best = metrics.classify(logits, target), metrics.fit_temperature(logits, target)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * classes * classes * 0.7
    assert found.confusion is None
    assert best == metrics.fit_temperature(logits[::2], target[::2]) != whole
    assert best == pytest.approx(whole, rel=0.1)
