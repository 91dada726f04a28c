"""What training rows did to a linear model's outputs is what training without each of them tells; the estimate ranks them so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import lossworks
from lossworks.api.replayed import Again, replayed
from lossworks.attribution.linear_rows import Losses, linear_influence
from lossworks.attribution.retrained_rows import outputs_of, outputs_without
from lossworks.attribution.trajectory import Course, Trajectory, obstacle
from lossworks.core.errors import OutOfMemory
from lossworks.data import ReadOptions, Selected
from lossworks.engine import Callbacks
from lossworks.inference import NetworkPredictor
from lossworks.training import Settings

WORDS = ["good", "fine", "bad", "sad", "odd", "red", "one", "two", "dog", "cat"]
ASKED = ["a good red dog", "sad sad cat", "odd", "", "one fine good good day"]
PLAIN: dict[str, Any] = {"model": "linear:bits=12,chars=3", "valid": 0, "test": 0, "epochs": 5}
"""Neither validation rows nor a second training: the rows of the fit are those of the training."""

WEIGHED = ReadOptions(weight="weight")


Rows = list[dict[str, Any]]


def made(kind: str, count: int) -> Rows:
    """Noisy rows of any kind of task, their weights from 0.5 to 2; the last of them is alone in its batch of 20."""
    chance, rows = np.random.default_rng(1), []
    for number in range(count):
        words = chance.choice(WORDS, 4).tolist()
        score = sum(word in WORDS[:2] for word in words) + chance.normal() / 2
        label: Any = {"two": ("no", "yes")[int(score > 1)], "several": words[0][0], "regress": float(score)}.get(kind)
        label = [words[0], words[1]] if kind == "multilabel" else label
        rows.append({"text": f"{' '.join(words)} n{number % 20}", "label": label, "weight": float(chance.uniform(0.5, 2))})
    return rows


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "two classes": ("two", {}),
    "several": ("several", {"class_weight": "balanced", "batch_size": 20}),
    "focal": ("two", {"loss": "focal:gamma=2", "batch_size": 20, "micro_batch": 7, "schedule": "linear"}),
    "label sets": ("multilabel", {}),
    "numbers": ("regress", {"batch_size": 20}),
}


@contextmanager
def again(kind: str, count: int, choices: dict[str, Any], folder: Path) -> Iterator[tuple[Again, Course, Selected, Rows]]:
    """A run's training once more, what was seen of it, and the texts asked about."""
    rows, seen = made(kind, count), list[Course]()
    model = lossworks.fit(rows, out=folder, read=WEIGHED, **PLAIN | choices)

    def observer(loop: Any, _: Any) -> Course:
        seen.append(Course(loop))
        return seen[0]

    with replayed(folder, {"data": rows}, WEIGHED, None, Callbacks(), "", observer) as found:
        assert found.is_exact
        yield found, seen[0], model.predictor.prepared(ASKED), rows


def alone(rows: Rows, left: int, choices: dict[str, Any]) -> NDArray[np.float64]:
    """What a model says of the texts that is fitted with a weight of 0 for one row."""
    weighed = [{**row, "weight": 0.0 if number == left else row["weight"]} for number, row in enumerate(rows)]
    predictor = lossworks.fit(weighed, read=WEIGHED, **PLAIN | choices).predictor
    assert isinstance(predictor, NetworkPredictor)
    return outputs_of(predictor.network, predictor.prepared(ASKED))


@pytest.mark.parametrize("optimizer", ["adagrad:lr=0.3,initial=1e-5", "adam:lr=0.01"])
@pytest.mark.parametrize("case", CASES)
def test_copies(case: str, optimizer: str, tmp_path: Path) -> None:
    """Copies trained side by side say what a fit says in which the row weighs 0; the copy that leaves out none is the model."""
    kind, choices = CASES[case]
    choices = {**choices, "optimizer": optimizer}
    with again(kind, 61, choices, tmp_path / "run") as (found, _, asked, rows):
        left = np.array([-1, 3, 17, 60])
        told = outputs_without(found.done, left, asked)
        np.testing.assert_allclose(told[0], outputs_of(found.done.network, asked), rtol=0, atol=1e-6)
        for number, said in zip(left[1:].tolist(), told[1:], strict=True):
            np.testing.assert_allclose(said, alone(rows, number, choices), rtol=0, atol=2e-5)
            assert np.abs(said - told[0]).max() > 1e-3


@pytest.mark.parametrize(("case", "least"), list(zip(CASES, (0.995, 0.97, 0.99, 0.995, 0.95), strict=True)))
def test_estimate(case: str, least: float, tmp_path: Path) -> None:
    """Followed back, a training of few and common words tells nearly what the copies do, of all outputs of all texts."""
    kind, choices = CASES[case]
    with again(kind, 300, choices, tmp_path / "run") as (found, course, asked, _):
        truth = outputs_of(found.done.network, asked) - outputs_without(found.done, np.arange(40), asked)
        told = list[tuple[int, int]]()
        ((texts, change),) = Trajectory(found.done, course).changes(asked, lambda done, of: told.append((done, of)))
        assert texts.tolist() == [0, 1, 2, 3, 4]
        assert change.shape == (300, *truth.shape[1:])
        assert np.corrcoef(change[:40].ravel(), truth.ravel())[0, 1] > least
        assert told[-1] == (2 * len(course.rates), 2 * len(course.rates))


def test_best_epoch(tmp_path: Path) -> None:
    """Where held-out rows of their own stop a training early, what is told is of the weights that were kept."""
    rows, held_out = made("two", 61), made("two", 200)[100:]
    how: dict[str, Any] = {"model": "linear:bits=12", "epochs": 30, "optimizer": "adagrad:lr=0.3,initial=1e-5", "test": 0}
    model = lossworks.fit(rows, valid=held_out, out=tmp_path / "run", **how)
    assert model.record["result"]["best_epoch"] < model.record["result"]["epochs"]
    seen, asked = list[Course](), model.predictor.prepared(ASKED)
    given = {"data": rows, "valid": held_out}

    def observer(loop: Any, _: Any) -> Course:
        seen.append(Course(loop))
        return seen[0]

    with replayed(tmp_path / "run", given, None, None, Callbacks(), "", observer) as found:
        whole, told = outputs_of(found.done.network, asked), outputs_without(found.done, np.arange(-1, 40), asked)
        np.testing.assert_allclose(told[0], whole, rtol=0, atol=1e-6)
        ((_, change),) = Trajectory(found.done, seen[0]).changes(asked)
        assert np.corrcoef(change[:40].ravel(), (whole - told[1:]).ravel())[0, 1] > 0.95


def test_one_step(tmp_path: Path) -> None:
    """Of one step on all rows, where nothing comes later that could answer, a row is taken out exactly: by AdaGrad's own rule."""
    once = {"epochs": 1, "batch_size": 40, "optimizer": "adagrad:lr=0.5"}
    with again("several", 40, once, tmp_path / "run") as (found, course, asked, _):
        truth = outputs_of(found.done.network, asked) - outputs_without(found.done, np.arange(40), asked)
        ((_, change),) = Trajectory(found.done, course).changes(asked)
        np.testing.assert_allclose(change, truth, rtol=0, atol=5e-4)
        assert np.abs(truth).max() > 0.1


def test_in_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where memory is short, texts are followed and copies trained in turns, with the same result; with none left, it is said."""
    with again("several", 61, {}, tmp_path / "run") as (found, course, asked, _):
        left = np.arange(7)
        whole, (together,) = outputs_without(found.done, left, asked), Trajectory(found.done, course).changes(asked)
        monkeypatch.setattr("lossworks.attribution.trajectory.MEMORY", 0)
        monkeypatch.setattr("lossworks.attribution.retrained_rows._MOST", 3)
        np.testing.assert_allclose(outputs_without(found.done, left, asked), whole, rtol=0, atol=1e-6)
        turns = list(Trajectory(found.done, course).changes(asked))
        assert [texts.tolist() for texts, _ in turns] == [[0], [1], [2], [3], [4]]
        np.testing.assert_allclose(np.concatenate([change for _, change in turns], 1), together[1], rtol=1e-4, atol=1e-6)
        monkeypatch.setattr("lossworks.attribution.trajectory.available", lambda: 1000.0)
        with pytest.raises(OutOfMemory, match=r"to follow the training back takes .* Fit on fewer rows"):
            next(Trajectory(found.done, course).changes(asked))


def test_strongest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows of the largest influence are among those trained without, told by the loss; so is the rank correlation."""
    with again("several", 61, {}, tmp_path / "run") as (found, course, asked, _):
        task = found.done.data.task
        losses = Losses(task, np.array([0, 1, 2, 3, 4]), 2.0)
        rows = linear_influence(found.done, course, asked, losses, 4)
        truth = losses(outputs_of(found.done.network, asked)) - losses(outputs_without(found.done, np.arange(61), asked))
        np.testing.assert_allclose(rows.influence, truth[rows.rows], rtol=0, atol=1e-6)
        for text in range(len(asked)):
            ranked = np.argsort(truth[:, text])
            assert np.isin(ranked[[0, 1, -2, -1]], rows.rows).all()
        assert rows.tried == 40
        monkeypatch.setattr("lossworks.attribution.linear_rows.SAMPLE", 2)
        few = linear_influence(found.done, course, asked, losses, 2)
        ((_, change),) = Trajectory(found.done, course).changes(asked)
        said = outputs_of(found.done.network, asked)
        estimate = losses(said) - losses(said - change)
        assert np.isin([estimate.argmax(0), estimate.argmin(0)], few.rows).all()
        assert ((rows.agreement > 0.8) & (rows.agreement < 1)).all()
        whole = outputs_of(found.done.network, asked) / 2
        by_hand = np.log(np.exp(whole).sum(1)) - whole[np.arange(5), np.arange(5)]
        np.testing.assert_allclose(losses(outputs_of(found.done.network, asked)), by_hand, rtol=1e-6)


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"optimizer": "adam:lr=0.01"}, "the optimizer is adam"),
        ({"optimizer": "adagrad:weight_decay=0.1"}, "the optimizer is adagrad"),
        ({"penalty": "l2:strength=0.1"}, "the penalty is l2"),
        ({"clip": 1.0}, "the clip is 1.0"),
        ({"ema": 0.9}, "the ema is 0.9"),
        ({"risk": "cvar:alpha=0.5"}, "the risk is cvar"),
        ({"balance": "unimax"}, "the balance is unimax"),
        ({"model": "bag"}, "the model is bag"),
        ({"loss": "focal", "class_weight": "balanced", "risk": "mean"}, ""),
    ],
)
def test_obstacles(choices: dict[str, Any], said: str) -> None:
    """What a training cannot be followed back with is named."""
    assert said in obstacle(Settings(**{"model": "linear", "optimizer": "adagrad:lr=0.3"} | choices))
    assert bool(said) == bool(obstacle(Settings(**{"model": "linear", "optimizer": "adagrad:lr=0.3"} | choices)))


def test_own_feature(tmp_path: Path) -> None:
    """A feature that one row alone has is gone without it: all of its weight is the row's doing, whatever its steps were."""
    rows = [*made("two", 40), {"text": "zebra zebra", "label": "yes", "weight": 1.0}]
    model = lossworks.fit(rows, out=tmp_path / "run", read=WEIGHED, **PLAIN | {"model": "linear:bits=12,chars=0", "epochs": 8})
    seen = list[Course]()

    def observer(loop: Any, _: Any) -> Course:
        seen.append(Course(loop))
        return seen[0]

    with replayed(tmp_path / "run", {"data": rows}, WEIGHED, None, Callbacks(), "", observer) as found:
        asked = model.predictor.prepared(["zebra"])
        ((_, change),) = Trajectory(found.done, seen[0]).changes(asked)
        truth = outputs_of(found.done.network, asked) - outputs_without(found.done, np.array([40]), asked)[0]
        assert change[40, 0, 0] == pytest.approx(truth[0, 0], rel=0.03)
