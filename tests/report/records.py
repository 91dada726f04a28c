"""Small run directories of every kind, made up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lossworks import metrics
from lossworks.record import Run
from lossworks.surfaces.landscape import Landscape, Spot

Json = dict[str, Any]
HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'><a href='x'>&lt;b&gt;"


def metric(value: float, half: float) -> Json:
    """A value with its interval."""
    return {"value": value, "low": value - half, "high": value + half}


def summary(task: str, labels: Sequence[str] | None, **more: Any) -> Json:
    """A record as `fit` writes it, without its result."""
    return {
        "lossworks": "0.1.0", "created": "2026-01-02T03:04:05+00:00", "command": "lossworks fit reviews.csv --seed 0",
        "status": "finished", "task": task, "labels": labels,
        "config": {"model": "linear", "loss": "cross_entropy", "optimizer": "adagrad:lr=0.1", "penalty": None, "seed": 0},
        "data": {
            "source": "reviews.csv", "rows": 360, "skipped": 1, "fingerprint": "abc123", "text_column": "text",
            "parts": {"train": 252, "valid": 54, "test": 54}, "label_column": "label",
            "label_counts": {label: 180 - 7 * k for k, label in enumerate(labels or ())},
        },
        "versions": {"python": "3.11", "torch": "2.6"}, "machine": {"cpu": "some", "cores": 2}, **more,
    }  # fmt: skip


def result(metrics: Json, floor: Json, name: str, **more: Any) -> Json:
    """The part of a record that says how the model did."""
    return {
        "part": "test", "rows": 54, "metrics": metrics, "baseline": {"name": name, "metrics": floor},
        "temperature": None, "thresholds": None, "confusion": None, "reliability": None, "per_class": [], "mistakes": [],
        "seconds": 75.0, "epochs": 4, "best_epoch": 3, "stopped": "all epochs done", **more,
    }  # fmt: skip


def saved(path: Path, record: Json, watched: str = "nll", epochs: int = 4) -> Path:
    """The record and a log of falling losses in a directory."""
    run = Run.create(path / "reviews-run")
    run.note("start", seed=0)
    for step in range(epochs * 20):
        epoch = (step + 1) / 20
        run.note("train", step=step, epoch=epoch, loss=0.2 + math.exp(-epoch), examples_per_second=1e4, lr=0.1)
        if epoch == int(epoch):
            run.note("valid", step=step, epoch=epoch, loss=0.4 + math.exp(-epoch), **{watched: 0.4 + abs(epoch - 3) / 10})
    run.close()
    run.write_summary(record)
    return run.path


BINS = [{"confidence": 0.6, "accuracy": 0.5, "count": 14}, {"confidence": 0.97, "accuracy": 0.9, "count": 40}]


def thresholds(labels: Sequence[str]) -> Json:
    """What thresholds do on 54 texts, a third of them of the second label."""
    truth = np.arange(54) % 3 == 0
    odds = 2.0 * truth + np.sin(np.arange(54))
    return metrics.by_threshold(np.stack([np.zeros(54), odds], 1), truth, labels)


def classify_run(
    path: Path, labels: Sequence[str] = ("negative", "positive"), text: str = "not bad at all",
    accuracy: Json | None = None, table: Sequence[Sequence[int]] = ((25, 2), (1, 26)), **more: Any,
) -> Path:  # fmt: skip
    """Two classes, temperature scaled."""
    proper = {"nll": metric(0.3, 0.1), "brier": metric(0.1, 0.05), "ece": metric(0.04, 0.03)}
    metrics = {"accuracy": accuracy or {"value": 0.9444, "low": 0.849, "high": 0.981}, "macro_f1": metric(0.94, 0.04), **proper}
    floor = {**metrics, "accuracy": metric(0.5, 0.1), "macro_f1": metric(0.333, 0.1), "nll": metric(0.693, 0)}
    found = result(
        metrics, floor, f"majority class '{labels[-1]}'", uncalibrated=proper, temperature=1.7, thresholds=[0.47],
        confusion=table, reliability={"before": BINS, "after": BINS[::-1]}, by_threshold=thresholds(labels),
        per_class=[{"label": label, "precision": 0.9, "recall": 0.95, "f1": 0.92, "support": 27} for label in labels],
        mistakes=[{"text": text, "label": labels[0], "predicted": labels[-1], "probability": 0.98, "place": "a.csv, line 9"}],
    ) | more  # fmt: skip
    return saved(path, summary("classify", labels, result=found))


def multilabel_run(path: Path) -> Path:
    """Three labels with a threshold each."""
    labels = ["sport", "politics", "art"]
    metrics = {key: metric(0.6, 0.1) for key in ("micro_f1", "macro_f1", "subset_accuracy", "nll", "brier", "ece")}
    floor = {key: metric(0.1, 0.1) for key in metrics}
    found = result(
        metrics, floor, "most frequent answer per label (none of them)", uncalibrated=metrics, temperature=1.0,
        thresholds=[0.5, 0.4, 0.3], reliability={"before": BINS, "after": BINS},
        per_class=[{"label": label, "precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 9} for label in labels],
        mistakes=[{"text": "a match", "label": ["sport"], "predicted": [], "probability": 0.8, "place": "a.csv, line 3"}],
    )  # fmt: skip
    return saved(path, summary("multilabel", labels, result=found))


def regress_run(path: Path) -> Path:
    """A numeric target; R² below nothing."""
    metrics = {"mse": metric(0.5, 0.1), "rmse": metric(0.7, 0.1), "mae": metric(0.55, 0.1), "r2": metric(-0.2, 0.3)}
    floor = {"mse": metric(0.9, 0.1), "rmse": metric(0.95, 0.1), "mae": metric(0.8, 0.1), "r2": metric(0.0, 0)}
    points = [[k / 10, k / 11 + 0.2] for k in range(50)]
    mistakes = [{"text": "so-so", "label": 3.0, "predicted": 4.5, "error": 1.5, "place": "a.csv, line 5"}]
    found = result(metrics, floor, "mean of the training targets (2.5)", scatter=points, mistakes=mistakes)
    return saved(path, summary("regress", None, result=found), watched="mse")


def diverged_run(path: Path) -> Path:
    """Stopped by a loss that was not a number any more."""
    return saved(path, summary("classify", ["no", "yes"], status="diverged", result=None), epochs=2)


def watched_run(path: Path, **config: Any) -> Path:
    """Two classes, with notes on training's health, two spikes, a schedule, and a search for the learning rate."""
    run = Run(classify_run(path))
    record = run.summary
    del record["format"]
    record["config"] |= {"clip": 1.0} | config
    trials: list[Json] = [{"lr": 10.0**n, "score": 0.3 + 0.1 * abs(n + 2)} for n in (-1, -4, -3, -2)]
    trials += [{"lr": 1.0, "score": None, "note": "diverged"}, {"lr": 10.0, "score": None, "note": "diverged"}]
    record["result"]["lr_search"] = {"trials": trials, "chosen": 0.01, "metric": "nll"}
    run.write_summary(record)
    for step in range(80, 160):
        epoch = (step + 1) / 20
        wave = 1 + math.sin(step / 3) / 2
        moved = {"matrix": 1e-3 * wave, "embedding": 3e-3 / epoch, "head": 2e-2 / epoch, "vector": None if step < 90 else 0.05}
        health = {"gradient_norm": 4 * wave / epoch, "moved": moved, "clipped": max(0.0, 1 - step / 120)}
        lr = 0.1 * (1 + math.cos(math.pi * (step - 80) / 80)) / 2
        run.note("train", step=step, epoch=epoch, loss=0.2 + math.exp(-epoch), examples_per_second=1e4, lr=lr, **health)
    for step in (95, 130):
        run.note("spike", step=step, epoch=step / 20, loss=1.5, usual=0.3)
    run.close()
    return run.path


def landscape(**more: Any) -> Landscape:
    """A bowl with a trajectory down to near its middle; the weights kept are those of the last step but one."""
    x, y = [n / 4 - 1 for n in range(9)], [n / 4 - 0.5 for n in range(5)]
    bowl = tuple(tuple(0.1 + a * a + 3 * b * b for a in x) for b in y)
    spots = [Spot(step=10 * n, epoch=n / 2, x=-0.9 + 0.3 * n, y=0.4 - n / 10, loss=1 / (n + 1), held_out=1.0) for n in range(5)]
    made: Json = {
        "plane": "trajectory", "x": tuple(x), "y": tuple(y), "loss": bowl, "held_out": bowl, "trajectory": tuple(spots),
        "kept": Spot(step=30, epoch=1.5, x=0.0, y=0.0, loss=0.1, held_out=0.2), "shares": (0.9, 0.07), "unit": 1.0, "exact": True,
        "off": 0.0, "loss_name": "cross_entropy", "held_out_name": "nll", "rows": 2000, "held_out_rows": 54, "seed": 0,
        "weights": 1234, "second": True, "penalty": None, "risk": "mean",
    }  # fmt: skip
    return Landscape(**made | more)
