"""``stop_by``: training stops, and the weights are chosen, by the metric that is named, computed as the reports compute it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import lossworks
from lossworks import report
from lossworks.api import evaluate
from lossworks.api.evaluate import scores_of
from lossworks.core.errors import UsageError
from lossworks.data import load
from lossworks.engine import Callbacks
from lossworks.engine.distributed import World
from lossworks.metrics import RISING
from lossworks.training import toml
from lossworks.training.examples import ExampleObjective

SMALL: dict[str, Any] = {"model": "linear:bits=10,chars=0", "epochs": 30, "optimizer": "adagrad:lr=1"}


def rows(task: str, seed: int, count: int = 90) -> list[tuple[str, Any]]:
    """Texts of words, of which some tell the answer, mostly: one of three labels that are not as frequent, a set, a number."""
    draw, made = np.random.default_rng(seed), list[tuple[str, Any]]()
    for _ in range(count):
        label = "aab aabc"[draw.integers(8)].strip() or "c"
        words = [label if draw.random() < 0.6 else "abc"[draw.integers(3)], *(f"w{n}" for n in draw.integers(0, 30, 4))]
        several = tuple(sorted({*label, *"ab"[: draw.integers(3)]}))
        answer = {"classify": label, "multilabel": several, "regress": ord(label) - 97.5}
        made.append((" ".join(words), answer[task]))
    return made


def fitted(task: str, stop_by: str | None, **how: Any) -> tuple[Any, list[dict[str, float]]]:
    """A model trained once, with validation rows of its own, and what was told of each epoch."""
    told: list[dict[str, float]] = []
    watch = Callbacks(watch=lambda event, fields: told.append(fields) if event == "valid" else None)
    given: dict[str, Any] = {
        "task": task,
        "valid": rows(task, 1),
        "test": rows(task, 2, 30),
        "stop_by": stop_by,
        "callbacks": watch,
    }
    return lossworks.fit(rows(task, 0), **given | SMALL | how), told


@pytest.mark.parametrize(
    ("task", "metric"),
    [
        *(("classify", name) for name in ("accuracy", "macro_f1", "brier", "nll")),
        *(("multilabel", name) for name in ("micro_f1", "subset_accuracy")),
        ("regress", "mae"),
    ],
)
def test_best_by_the_metric(task: str, metric: str) -> None:
    """The weights kept are those of the epoch that is best by it, whose value is that of the report; the record names it."""
    model, told = fitted(task, metric)
    result, curve = model.record["result"], [each[metric] for each in told]
    best = int(np.argmax(curve) if metric in RISING else np.argmin(curve))
    assert (result["best_epoch"], result["judged_by"]) == (best + 1, metric)
    assert result["scores"] == pytest.approx([1 - value if metric in RISING else value for value in curve])
    if result["epochs"] < 30:
        assert result["stopped"] == f"early: {metric} had not {'risen' if metric in RISING else 'fallen'} for 2 epochs"
    corpus = load(rows(task, 1))
    predictor = model.predictor
    found = predictor.task.by_row(scores_of(model, corpus), predictor.task.targets(corpus))[metric].mean()
    assert found == pytest.approx(curve[best], abs=1e-6)


def test_another_epoch_than_by_the_loss() -> None:
    """What is named makes a difference: the loss turns while the share of right answers does not."""
    how = {"optimizer": "adagrad:lr=0.1", "patience": 12}
    by_loss, by_metric = (fitted("classify", metric, **how)[0].record for metric in (None, "accuracy"))
    assert by_loss["result"]["judged_by"] == "nll"
    assert by_loss["result"]["best_epoch"] < by_metric["result"]["best_epoch"]
    assert by_metric["config"]["stop_by"] == "accuracy"


def test_each_way_to_train() -> None:
    """By arrays alone, many steps in one call, and step by step through PyTorch the same is judged by."""
    fast = fitted("classify", "macro_f1")[1]
    told: list[dict[str, float]] = []
    watch = Callbacks(watch=lambda event, fields: told.append(fields) if event == "valid" else None)
    watch.stepped = lambda: None  # who looks at each step has the general way
    fitted("classify", "macro_f1", callbacks=watch)
    clipped = fitted("classify", "macro_f1", clip=1e9)[1]  # which no call of many steps does
    for slow in (told, clipped):
        assert [each["macro_f1"] for each in fast] == pytest.approx([each["macro_f1"] for each in slow])


@dataclass(frozen=True)
class Half(World):
    """One of two processes, that hears of the other what it will say."""

    heard: Any = None

    def gather_rows(self, mine: Tensor) -> list[Tensor]:
        other = self.heard[mine.dtype] if self.heard else mine[:0]
        return [mine, other] if self.rank == 0 else [other, mine]


def test_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What processes know of batches of their own is put together in the order of rows, so each has the same, to the bit."""
    asked: list[tuple[Any, ...]] = []
    plain = ExampleObjective._gathered
    monkeypatch.setattr(ExampleObjective, "_gathered", lambda *given: asked.append(given) or plain(*given))
    fitted("classify", "macro_f1", epochs=1, clip=1e9)
    objective, world, said = asked[0]
    outputs, numbers = torch.cat([each for each, _ in said if len(each)]), np.concatenate([each for _, each in said])
    halves = [(outputs[half::2], numbers[half::2]) for half in (0, 1)]
    whole = objective.with_metric({}, *plain(objective, world, said))
    for rank, (own, other) in enumerate((halves, halves[::-1])):
        heard = {torch.float64: other[0], torch.int64: torch.from_numpy(other[1][:, None])}
        assert objective.with_metric({}, *plain(objective, Half(2, rank, heard=heard), [own])) == whole


def test_language_model() -> None:
    """It is judged by the share of next tokens that are told, which is the report's."""
    texts = [text for text, _ in rows("classify", 0, 60)]
    told: list[dict[str, float]] = []
    watch = Callbacks(watch=lambda event, fields: told.append(fields) if event == "valid" else None)
    how: dict[str, Any] = {"task": "lm", "model": "transformer:dim=16,layers=1", "tokenizer": "chars", "epochs": 3}
    how |= {"optimizer": "adam:lr=0.02", "dtype": "float32"}
    model = lossworks.fit(texts, valid=texts[:9], stop_by="accuracy", callbacks=watch, **how)
    best = max(each["accuracy"] for each in told)
    assert evaluate(model, texts[:9])["metrics"]["accuracy"]["value"] == pytest.approx(best)
    training = model.record["result"]["training"]
    assert (training["judged_by"], training["scores"]) == ("accuracy", pytest.approx([1 - each["accuracy"] for each in told]))


def test_graph() -> None:
    """A graph by the share of first places."""
    facts = [(f"e{i % 12}", "+", f"e{(i + i % 3) % 12}") for i in range(36)]
    told: list[dict[str, float]] = []
    watch = Callbacks(watch=lambda event, fields: told.append(fields) if event == "valid" else None)
    how: dict[str, Any] = {"task": "graph", "model": "distmult:dim=4", "epochs": 4, "stop_by": "hits_at_1"}
    found = lossworks.fit(facts, valid=facts[:6], test=facts[:6], callbacks=watch, **how).record["result"]
    assert found["scores"] == pytest.approx([1 - each["hits_at_1"] for each in told])
    assert found["judged_by"] == "hits_at_1"


def test_rates_are_searched_by_it() -> None:
    """``lr="auto"`` takes the rate that is best by it, and tells the metric's own values."""
    found = fitted("classify", "macro_f1", lr="auto", epochs=1)[0].record["result"]["lr_search"]
    assert found["metric"] == "macro_f1"
    assert max(found["trials"], key=lambda trial: trial["score"] or 0)["score"] == pytest.approx(
        next(trial["score"] for trial in found["trials"] if trial["lr"] == found["chosen"])
    )


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"stop_by": "macro-f1"}, r"unknown metric to stop by 'macro-f1'. Did you mean 'macro_f1'"),
        ({"stop_by": "mse"}, "'mse' does not fit the task classify. Metrics that do: nll, brier, accuracy, macro_f1"),
        ({"stop_by": "accuracy", "valid": 0.0}, "judges by validation rows with labels, and there are none"),
        ({"stop_by": "accuracy", "model": "ngram"}, "--stop-by is for families trained by gradients"),
        ({"stop_by": "mrr", "task": "lm", "model": "rnn", "steps": 1}, "that do: nats_per_token, bits_per_byte, accuracy"),
    ],
)
def test_refused(how: dict[str, Any], said: str) -> None:
    """A metric that is unknown, unsuited, or of nothing is an error that lists those that suit."""
    with pytest.raises(UsageError, match=said):
        lossworks.fit(rows("classify", 0, 40), **({"model": "linear:bits=8"} | how))


def test_file_and_report(tmp_path: Path) -> None:
    """A TOML file says it too, and the report by what training was judged, with that metric's curve."""
    (tmp_path / "fit.toml").write_text('stop_by = "macro_f1"\nmodel = "linear:bits=8"\nepochs = 3\n')
    lossworks.fit(rows("classify", 0), settings=toml(tmp_path / "fit.toml", {}), out=tmp_path / "run")
    page = report.write(tmp_path / "run").read_text("utf-8")
    assert "by the validation part’s Macro-F1" in page
    assert "validation macro-f1" in page
