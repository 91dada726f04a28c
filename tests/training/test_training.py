"""What training promises: the gradient of the whole, weights as repetition, honest parts and figures, the same bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score, log_loss

import lossworks
from lossworks.api.evaluate import evaluate
from lossworks.core.errors import Diverged
from lossworks.data import TEST, TRAIN, VALID, load
from lossworks.engine import Callbacks, TrainState
from lossworks.training import Settings, fit_corpora
from lossworks.training.arrays import ArrayCourse
from lossworks.training.assembling import assemble

Rows = list[tuple[Any, ...]]
WORDS = ["good", "fine", "bad", "sad", "odd", "red"]
DATA = Path(__file__).parents[1] / "data"


def _rows(count: int, seed: int = 0, noise: float = 0.2) -> Rows:
    """Texts of a few words, whose label is a noisy function of them."""
    chance = np.random.default_rng(seed)
    rows: Rows = []
    for number in range(count):
        words = chance.choice(WORDS, 3).tolist()
        label = (sum(word in ("good", "fine") for word in words) > 1) ^ (chance.random() < noise)
        rows.append((" ".join([*words, f"n{number}"]), "yes" if label else "no"))
    return rows


def _weights(model: lossworks.Model) -> dict[int, NDArray[Any]]:
    """The table's row of each bucket, and the bias at -1."""
    features, state = model.predictor.features, model.predictor.network.state_dict()
    return dict(zip(features.buckets.tolist(), state["table.weight"].numpy(), strict=True)) | {-1: state["bias"].numpy()}


def _same(left: lossworks.Model, right: lossworks.Model, tolerance: float = 0) -> None:
    one, other = _weights(left), _weights(right)
    assert one.keys() == other.keys()
    for bucket, row in one.items():
        assert np.abs(row - other[bucket]).max() <= tolerance


def _once(rows: Rows, **choices: Any) -> lossworks.Model:
    """One step of gradient descent on all rows, nothing held out."""
    settings = {"model": "linear:bits=12,chars=0,words=1", "optimizer": "gradient_descent:lr=0.5", "epochs": 1}
    return lossworks.fit(rows, valid=0, test=0, **(settings | choices))


@pytest.mark.parametrize("micro", [4096, 7])
def test_full_gradient(micro: int) -> None:
    """The first step is lr times the mean gradient of all rows, (p - y) x, however many pieces it is gathered in."""
    rows = _rows(60)
    model = _once(rows, micro_batch=micro)
    features = model.predictor.features
    selected = features.select(features.read([text for text, _ in rows]))
    nothing = torch.empty(0)
    batch = selected.batch(np.arange(60), nothing, nothing)
    error = np.array([0.5 - (label == "yes") for _, label in rows])  # p is 1/2 at first
    expected = np.zeros(len(features))
    for row in range(60):
        for place in range(batch.offsets[row], batch.offsets[row + 1]):
            expected[batch.ids[place]] += error[row] * batch.values[place] / 60
    table = model.predictor.network.state_dict()["table.weight"].numpy()[:, 0]
    np.testing.assert_allclose(table, -0.5 * expected, atol=1e-7)
    np.testing.assert_allclose(_weights(model)[-1], -0.5 * error.mean(), atol=1e-7)


def test_weight_is_repetition() -> None:
    """A weight of 2 is the row twice, for the gradient and for what it is divided by."""
    rows = _rows(50)
    weighted = [(text, label, 2 if i < 20 else 1) for i, (text, label) in enumerate(rows)]
    bag = {"model": "linear:bits=12,chars=0,words=1,min_count=1"}
    one, other = _once(weighted, **bag), _once(rows + rows[:20], **bag)
    np.testing.assert_allclose(_weights(one)[-1], _weights(other)[-1], atol=1e-7)
    same = _once([(*row, 3) for row in rows])  # a common factor is divided away
    _same(same, _once(rows), 1e-7)


def test_weight_zero_is_absence() -> None:
    """A row of weight 0 moves nothing, whatever its label."""
    rows = _rows(50)
    lies = [(text, "no" if label == "yes" else "yes", 0) for text, label in rows[:10]]
    honest = [(text, label, 0) for text, label in rows[:10]]
    kept = [(*row, 1) for row in rows[10:]]
    _same(_once(lies + kept), _once(honest + kept))


def test_class_weight_is_row_weight() -> None:
    """A class's weight is that weight on each of its rows; balanced weights give each class the same total."""
    rows = _rows(60)
    by_class = _once(rows, class_weight="yes=3")
    _same(by_class, _once([(text, label, 3 if label == "yes" else 1) for text, label in rows]), 1e-7)
    counts = {name: sum(label == name for _, label in rows) for name in ("yes", "no")}
    weighted = [(text, label, 60 / (2 * counts[label])) for text, label in rows]
    _same(_once(rows, class_weight="balanced"), _once(weighted), 1e-7)


def test_weighted_classes_decide_when_to_stop() -> None:
    """Epochs are judged as if each row had its class's weight, and so are rates; the plain score, told beside, would go on."""
    rows = [row for number, row in enumerate(_rows(500, noise=0.3)) if row[1] == "no" or number % 4 == 0]
    heavy = [(text, label, 30 if label == "yes" else 1) for text, label in rows]
    told: list[dict[str, Any]] = []
    callbacks = Callbacks(watch=lambda event, fields: told.append(fields) if event == "valid" else None)
    how: dict[str, Any] = {"model": "linear:bits=12", "optimizer": "adagrad:lr=0.1", "epochs": 30}
    by_class = lossworks.fit(rows, class_weight="yes=30", callbacks=callbacks, **how).record["result"]
    by_row = lossworks.fit(heavy, **how).record["result"]
    assert by_class["scores"] == pytest.approx(by_row["scores"])
    assert by_class["scores"] == [fields["weighted_nll"] for fields in told] == [fields["loss"] for fields in told]
    assert by_class["best_epoch"] == by_row["best_epoch"] == len(told) - 2
    assert min(fields["nll"] for fields in told) == told[-1]["nll"]
    assert by_class["stopped"] == "early: weighted_nll had not fallen for 2 epochs"
    assert by_row["stopped"] == "early: nll had not fallen for 2 epochs"
    searched = lossworks.fit(rows, class_weight="yes=30", model="linear:bits=8", lr="auto", epochs=1).record["result"]
    assert searched["lr_search"]["metric"] == "weighted_nll"


@pytest.mark.parametrize("model", ["linear:bits=12", "bag:dim=8,dropout=0.3,bits=12"])
def test_same_seed_same_bits(threads: Callable[[int], None], model: str) -> None:
    """A seed fixes every bit, on one thread or two; another seed changes them."""
    rows, states = _rows(300), []
    for count, seed in ((1, 0), (2, 0), (1, 1)):
        threads(count)
        states.append(lossworks.fit(rows, model=model, epochs=3, seed=seed).predictor.network.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(states[0][n].shape != states[2][n].shape or not torch.equal(states[0][n], states[2][n]) for n in states[0])


def test_spilled(tmp_path: Path) -> None:
    """Data beyond the budget waits on disk and trains as well; nothing stays there."""
    corpus = load(_rows(400))
    settings = Settings(model="linear:bits=12", epochs=5)
    held = fit_corpora([corpus], [None], settings, scratch=tmp_path)
    spilled = fit_corpora([corpus], [None], settings, scratch=tmp_path, budget=1000)
    figures = [fitted.result["metrics"]["nll"]["value"] for fitted in (held, spilled)]
    assert abs(figures[0] - figures[1]) < 0.1
    assert spilled.result["rows"] == held.result["rows"] == 40
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("loss", ["cross_entropy", "mse", "sparse_matrix", "cross_entropy:label_smoothing=0.3"])
def test_early_stopping(loss: str) -> None:
    """Whatever the loss, epochs are judged by held-out nll; the weights kept are those of the best."""
    scores: list[float] = []

    def watch(event: str, fields: dict[str, Any]) -> None:
        if event == "valid":
            scores.append(fields["nll"])

    rows = _rows(300, noise=0.3)
    callbacks = Callbacks(watch=watch)
    model = lossworks.fit(rows, loss=loss, model="linear:bits=12", optimizer="adagrad:lr=1", epochs=30, callbacks=callbacks)
    result = model.record["result"]
    best = int(np.argmin(scores)) + 1
    assert result["best_epoch"] == best
    assert result["epochs"] == best + 2 < 30
    assert result["stopped"] == "early: nll had not fallen for 2 epochs"
    stopped = lossworks.fit(rows, loss=loss, model="linear:bits=12", optimizer="adagrad:lr=1", epochs=best)
    _same(model, stopped)


def test_figures_are_of_unseen_rows() -> None:
    """Every figure follows from the test rows alone, and scikit-learn finds the same."""
    rows = _rows(400)
    model = lossworks.fit(rows, model="linear:bits=12", epochs=4)
    corpus = load(rows)
    parts = assemble([corpus], [None], "auto", None, 0.1, 0.1, 0).parts
    test = [rows[i] for i in np.flatnonzero(parts == TEST)]
    texts, truth = [text for text, _ in test], [label for _, label in test]
    said, chance = model.predict(texts), model.predict_proba(texts)
    assert model.record["result"]["rows"] == len(test) == 40
    expected = {
        "accuracy": accuracy_score(truth, said),
        "macro_f1": f1_score(truth, said, average="macro"),
        "nll": log_loss(truth, chance, labels=["no", "yes"]),
        "brier": float(((chance - (np.array(truth)[:, None] == ["no", "yes"])) ** 2).sum(1).mean()),
    }
    for name, value in expected.items():
        assert model.metrics[name]["value"] == pytest.approx(value, abs=1e-6)
    again = evaluate(model, test)
    assert again["metrics"] == model.metrics
    assert again["baseline"] == model.record["result"]["baseline"]


def test_test_rows_change_nothing() -> None:
    """Other labels and words in the test rows change the figures and no weight, temperature or threshold."""
    rows = _rows(400)
    parts = assemble([load(rows)], [None], "auto", None, 0.1, 0.1, 0).parts
    groups = [[rows[i] for i in np.flatnonzero(parts == part)] for part in (TRAIN, VALID, TEST)]
    lies = [(text + " unheard of", "no" if label == "yes" else "yes") for text, label in groups[2]]
    settings = {"valid": groups[1], "model": "linear:bits=12", "epochs": 3}
    one, other = (lossworks.fit(groups[0], test=test, **settings) for test in (groups[2], lies))
    _same(one, other)
    assert one.predictor.temperature == other.predictor.temperature != 1
    assert one.predictor.thresholds == other.predictor.thresholds
    assert one.metrics["accuracy"]["value"] > other.metrics["accuracy"]["value"]


def test_calibration_is_of_validation_rows() -> None:
    """Other validation labels change the temperature."""
    rows = _rows(300)
    flipped = [(text, "no" if label == "yes" else "yes") for text, label in rows[:60]]
    settings = {"test": rows[60:100], "model": "linear:bits=12", "epochs": 1}
    one, other = (lossworks.fit(rows[100:], valid=valid, **settings) for valid in (rows[:60], flipped))
    _same(one, other)
    assert one.predictor.temperature != other.predictor.temperature


def test_duplicates_stay_together() -> None:
    """Equal texts are never on both sides of a split."""
    rows = [(f"text {i % 40} {WORDS[i % 40 % 6]}", ("yes", "no")[i % 40 % 2]) for i in range(400)]
    data = assemble([load(rows)], [None], "auto", None, 0.2, 0.2, 0)
    sides: dict[str, set[int]] = {}
    for (text, _), part in zip(rows, data.parts.tolist(), strict=True):
        sides.setdefault(text, set()).add(part)
    assert all(len(side) == 1 for side in sides.values())
    assert set.union(*sides.values()) == {TRAIN, VALID, TEST}


def test_baseline() -> None:
    """The baseline beside is the majority class of the training rows, with their frequencies."""
    rows = [(text, "no" if i % 4 else "yes") for i, (text, _) in enumerate(_rows(200))]
    model = lossworks.fit(rows, model="linear:bits=12", epochs=1)
    baseline, data = model.record["result"]["baseline"], model.record["data"]
    assert baseline["name"] == "majority class 'no'"
    assert baseline["metrics"]["accuracy"]["value"] == 0.75
    share = data["train_counts"][0] / data["parts"]["train"]
    expected = -(0.75 * np.log(share) + 0.25 * np.log(1 - share))
    assert baseline["metrics"]["nll"]["value"] == pytest.approx(expected)


def test_nothing_held_out() -> None:
    """From fewer than 40 rows nothing is held out, no figure is given, and that is said."""
    model = lossworks.fit(_rows(39), model="linear:bits=12", epochs=2)
    assert model.record["data"]["parts"] == {"train": 39, "valid": 0, "test": 0}
    assert model.metrics == {}
    assert "that takes 40 rows" in model.record["result"]["note"]
    assert lossworks.fit(_rows(40), model="linear:bits=12", epochs=2).record["data"]["parts"]["test"] == 4


def test_divergence_stops_before_the_update(monkeypatch: pytest.MonkeyPatch) -> None:
    """The step whose loss was not finite is not taken: as many updates as steps that ended."""
    kept, run = list[ArrayCourse](), ArrayCourse.run

    def watched(self: ArrayCourse) -> TrainState:
        kept.append(self)
        return run(self)

    monkeypatch.setattr(ArrayCourse, "run", watched)
    numbers = [(text, float(len(text))) for text, _ in _rows(60)]
    with pytest.raises(Diverged, match=r"not finite at step 3 \(epoch 1, batch 3, first at row \d+ of|not finite at step"):
        lossworks.fit(numbers, task="regress", model="linear:bits=12", optimizer="sgd:lr=1e20", loss="mse")
    assert all(each.stepper.steps == each.state.step for each in kept)  # a second training, begun ahead, is one of them
    assert max(each.state.step for each in kept) > 0


@pytest.mark.parametrize("lr", [1e18, 1e19, 1e20, 1e21, 1e22])
def test_no_model_of_infinite_weights(lr: float) -> None:
    """A last step that overflows is noticed though no loss follows it: what is returned is finite."""
    numbers = [(text, float(len(text))) for text, _ in _rows(30)]
    try:
        model = _once(numbers, task="regress", optimizer=f"gradient_descent:lr={lr}", epochs=2)
    except Diverged:
        return
    assert all(np.isfinite(row).all() for row in _weights(model).values())
