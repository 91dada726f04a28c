"""Many steps in one compiled call: the same losses and weights as step by step, the same bits however they are cut."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from torch import Tensor

import lossworks
from losses.odd import cases
from lossworks import losses
from lossworks.core.errors import Diverged, Interrupted
from lossworks.engine import Callbacks, course
from lossworks.inference import NetworkPredictor
from lossworks.optim.leaping import Leaping
from lossworks.scores import Scores
from lossworks.tasks.classify import Classify
from lossworks.tasks.multilabel import Multilabel
from lossworks.tasks.regress import Regress
from lossworks.training import played, refit
from lossworks.training.examples import ExampleObjective
from lossworks.training.played import Played

TASKS = {
    "two": Classify(("a", "b")),
    "five": Classify(tuple("abcde")),
    "labels": Multilabel(tuple("abc")),
    "numbers": Regress(),
}
PLAYED = {  # by their own code on the target's log-probability and the mean one, or on numbers; all others go the general way
    "asymmetric", "binary_cross_entropy", "class_balanced", "cross_entropy", "dynamic_fine_tuning", "focal",
    "generalized_cross_entropy", "huber", "log_cosh", "log_likelihood", "mae", "mse", "poly1", "quantile",
    "symmetric_cross_entropy", "taylor_cross_entropy",
}  # fmt: skip
SMALL: dict[str, Any] = {"model": "linear:bits=12,chars=3", "epochs": 2, "batch_size": 4}
WORDS = ["good", "fine", "nice", "bad", "poor", "dull", "red", "green", "blue", "film", "plot", "cast"]


def rows(task: str, count: int = 60) -> list[Any]:
    """Texts of some words, with what the task predicts of them."""
    draw, found = np.random.default_rng(1), list[Any]()
    for number in range(count):
        words = draw.choice(WORDS, 5)
        known = [word for word in ("good", "bad", "red") if word in words]
        label: Any = {"two": words[0] < "g", "five": words[0][0], "labels": known, "numbers": float(len(known))}[task]
        found.append((" ".join(words), label, float(number % 5 != 3)))  # some weigh nothing
    return found


def fitted(task: str, **choices: Any) -> lossworks.Model:
    """Trained on them."""
    kind = {"labels": "multilabel", "numbers": "regress"}.get(task, "classify")
    model = lossworks.fit(rows(task), task=kind, **SMALL | choices)
    assert isinstance(model, lossworks.Model)
    return model


def weights(model: lossworks.Model) -> Tensor:
    """All in a row."""
    return torch.cat([p.detach().flatten() for p in model.predictor.network.parameters()])


@pytest.fixture
def leaps() -> Iterator[list[int]]:
    """How many steps were taken at once, each time."""
    found, leap = list[int](), Leaping.leap

    def watched(self: Leaping, take: Any, factors: Any, **more: Any) -> Any:
        found.append(len(factors))
        return leap(self, take, factors, **more)

    with mock.patch.object(Leaping, "leap", watched):
        yield found


@pytest.mark.parametrize("name", [entry.name for entry in losses.losses])
def test_a_loss_is_spelled_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values and gradients of what has a tape are autograd's, whatever the parameters and the task; the others have none."""
    monkeypatch.setattr(Played, "_agrees", lambda *_: True)  # what would hide a fault
    monkeypatch.setattr(played, "_place", lambda *_: None)  # and what was recorded before
    draw, has = np.random.default_rng(3), set[str]()
    for spec, case in cases(name).items():
        for called, task in TASKS.items():
            if task.misfit(case.loss) or (made := Played.of(task, case.loss)) is None:
                continue
            outputs = draw.normal(scale=3, size=(9, task.outputs))
            target = {"numbers": draw.normal(size=9), "labels": draw.integers(0, 2, (9, 3))}.get(
                called, draw.integers(0, len(task.labels) or 1, 9)
            )
            given = torch.from_numpy(outputs).requires_grad_()
            values = task.losses(case.loss, given, torch.from_numpy(target))
            (slopes,) = torch.autograd.grad(values.sum(), given)
            found = made(outputs, target.astype(np.float64).reshape(9, -1))
            np.testing.assert_allclose(found[0], values.detach(), rtol=1e-6, atol=1e-9, err_msg=f"{spec} {called}")
            np.testing.assert_allclose(found[1], slopes, rtol=1e-6, atol=1e-9, err_msg=f"{spec} {called}")
            has.add(name)
    assert has == {name} & PLAYED


@dataclass(frozen=True, slots=True, kw_only=True)
class Sudden(losses.CategoricalLoss):
    """Looks at its numbers in Python, as no tape can."""

    def values(self, scores: Scores) -> Tensor:
        return -scores.logp if scores.logp.detach().sum() > -20 else -2 * scores.logp


def test_what_a_tape_cannot_hold() -> None:
    """A loss that goes another way for other numbers is none for compiled code, nor is one that reads whole distributions."""
    assert Played.of(TASKS["five"], Sudden()) is None
    assert Played.of(TASKS["five"], losses.build("cross_entropy+0.1*entropy")) is None
    assert Played.of(TASKS["five"], losses.build("cross_entropy+0.1*focal")) is not None


@pytest.mark.parametrize(
    ("task", "choices"),
    [
        ("two", {}),
        ("two", {"optimizer": "sgd:lr=0.5", "loss": "focal", "schedule": "cosine"}),
        ("five", {"loss": "cross_entropy:label_smoothing=0.1", "class_weight": "balanced"}),
        ("labels", {"loss": "asymmetric"}),
        ("numbers", {"loss": "huber", "batch_size": 1}),  # with steps that weigh nothing
    ],
)
def test_as_step_by_step(task: str, choices: dict[str, Any], leaps: list[int]) -> None:
    """Weights, held-out scores and what the log says are those of the general way, but for rounding."""

    def seen(events: list[dict[str, Any]]) -> lossworks.Model:
        watch = lambda event, fields: events.append({"event": event, **fields})  # noqa: E731
        callbacks = Callbacks(watch=watch, clock=lambda: 0.0)  # or lines would be of other steps
        with mock.patch.object(course, "_STRETCH", 9.0):
            return fitted(task, callbacks=callbacks, **choices)

    fast, slow = list[dict[str, Any]](), list[dict[str, Any]]()
    model = seen(fast)
    assert max(leaps) > 1 or choices.get("batch_size") == 1
    count = len(leaps)
    with (
        mock.patch.object(refit, "array_course", return_value=None),
        mock.patch.object(ExampleObjective, "stretch", return_value=None),
    ):
        other = seen(slow)
    assert len(leaps) == count
    torch.testing.assert_close(weights(model), weights(other), rtol=1e-3, atol=1e-4)
    assert model.record["result"]["scores"] == pytest.approx(other.record["result"]["scores"], rel=1e-4)
    lines = [next(line for line in lines if line["event"] == "train") for lines in (fast, slow)]
    for name in ("loss", "gradient_norm", "lr", "step", "clipped"):
        assert lines[0][name] == pytest.approx(lines[1][name], rel=1e-4), name
    assert lines[0]["moved"].keys() == lines[1]["moved"].keys()


def test_the_same_bits(leaps: list[int], threads: Callable[[int], None], tmp_path: Path) -> None:
    """However many steps are taken at once, on any number of threads, watched after each step, stopped and gone on with."""
    odd = [(text, label, 1.0) for (text, *_), (_, label, _) in pairwise(rows("five", 25))]  # each has another's label
    how = {"valid": odd, "epochs": 5, "patience": 9, "optimizer": "adagrad:lr=2"}

    def ends(most: int, **more: Any) -> bytes:
        with mock.patch.multiple(course, _MOST=most, _STRETCH=9.0):
            model = fitted("five", **how, **more)
        assert 1 <= model.record["result"]["best_epoch"] < 5  # whose weights are brought back
        return weights(model).numpy().tobytes()

    whole = ends(100)
    assert max(leaps) > 8
    assert ends(3) == ends(100, callbacks=Callbacks(stepped=lambda: None)) == whole
    for count in (2, 4):
        threads(count)
        assert ends(100) == whole
    for at in (2, 4, 6, 12):
        left, out = [at], tmp_path / str(at)

        stop = Event()

        def watch(event: str, fields: dict[str, Any], left: list[int] = left, stop: Event = stop) -> None:
            left[0] -= event == "checkpoint"
            if not left[0]:
                stop.set()

        callbacks = Callbacks(watch=watch, checkpoint_every=0.0, stop=stop)
        with pytest.raises(Interrupted):
            ends(3, callbacks=callbacks, out=out)
        assert ends(100, out=out, resume=True) == whole


@pytest.mark.parametrize("task", TASKS)
def test_by_arrays_alone_as_in_pytorch(task: str, tmp_path: Path) -> None:
    """Weights, features, optimizer's state and metrics are the same bits, held-out values the same but for float32's rounding."""

    def seen(out: Path) -> tuple[dict[str, bytes], dict[str, Any], list[dict[str, Any]]]:
        lines = list[dict[str, Any]]()
        watch = lambda event, fields: lines.append(fields) if event == "valid" else None  # noqa: E731
        model = fitted(task, out=out, callbacks=Callbacks(watch=watch))
        assert isinstance(model.predictor, NetworkPredictor)
        assert isinstance(model.predictor.learned, dict) is (out.name == "arrays")
        files = {path.name: path.read_bytes() for path in out.rglob("*.safetensors")}
        return files, model.record["result"], lines

    files, result, lines = seen(tmp_path / "arrays")
    with mock.patch.object(refit, "array_course", return_value=None):
        others, other, theirs = seen(tmp_path / "pytorch")
    assert files == others
    assert len(files) == 2
    for name in ("metrics", "temperature", "thresholds", "weights", "zero_weights", "micro_batch", "best_epoch"):
        assert result.get(name) == other.get(name), name
    assert [line.keys() for line in lines] == [line.keys() for line in theirs]
    for line, its in zip(lines, theirs, strict=True):
        assert line == pytest.approx(its, rel=1e-5)


@pytest.mark.parametrize(
    "choice",
    [{"clip": 1.0}, {"penalty": "l2:strength=0.1"}, {"risk": "cvar"}, {"optimizer": "adam"}, {"loss": "hinge"}, {"ema": 0.9},
     {"model": "bag:bits=12,dim=4"}, {"teach": "uniform"}, {"shards": 2}],
)  # fmt: skip
def test_everything_else_goes_step_by_step(choice: dict[str, Any], leaps: list[int]) -> None:
    """What the compiled call does not know is left to the general way."""
    fitted("five", **{"epochs": 1} | choice)
    assert not leaps


def test_a_loss_that_is_not_finite(leaps: list[int]) -> None:
    """The compiled call stops before that step, and the general way says where it came from."""
    with pytest.raises(Diverged, match=r"the loss was not finite at step \d+ .*first at the rows, row \d+"):
        fitted("numbers", optimizer="sgd:lr=1e15", epochs=40)
    assert leaps
