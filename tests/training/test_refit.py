"""Few rows are trained on twice, the second time with the validation rows among them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import lossworks
from lossworks.core.errors import Diverged, Interrupted
from lossworks.data import TRAIN, load
from lossworks.engine import Callbacks
from lossworks.training import refit
from lossworks.training.arrays import ArrayObjective
from lossworks.training.assembling import assemble

WORDS = ["good", "fine", "bad", "sad", "odd", "red"]
CHOICES: dict[str, Any] = {"model": "linear:bits=12", "optimizer": "adagrad:lr=1", "epochs": 30, "test": 0}


def _rows(count: int) -> list[tuple[str, str]]:
    """Texts of a few words and one of their own, whose label is a noisy function of them."""
    chance = np.random.default_rng(0)
    drawn = [chance.choice(WORDS, 3).tolist() for _ in range(count)]
    return [
        (" ".join([*words, f"n{number}"]), "yes" if (words[0] in WORDS[:3]) ^ (chance.random() < 0.3) else "no")
        for number, words in enumerate(drawn)
    ]


def _learnt(model: lossworks.Model) -> dict[str, Any]:
    """All that training gives: the features and the weights, as bytes."""
    features, state = model.predictor.features, model.predictor.network.state_dict()
    arrays = {name: value.numpy() for name, value in state.items()}
    return {name: value.tobytes() for name, value in (arrays | {"b": features.buckets, "w": features.weights}).items()}


def test_all_rows_for_the_best_number_of_epochs() -> None:
    """The same bits as a training on all rows of as many epochs; the figures of calibration are those of the first."""
    rows = _rows(300)
    model = lossworks.fit(rows, **CHOICES)
    result = model.record["result"]
    assert 1 <= result["best_epoch"] < result["epochs"]
    assert (model.record["data"]["parts"]["valid"], result["refit_rows"]) == (30, 300)
    whole = lossworks.fit(rows, **CHOICES | {"epochs": result["best_epoch"], "valid": 0})
    assert _learnt(model) == _learnt(whole)
    assert whole.record["result"]["refit_rows"] is None
    assert model.predictor.temperature != 1 == whole.predictor.temperature


def test_temperature_is_of_rows_not_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what the first training alone would have: of rows that were trained on it would say nothing."""
    rows = _rows(300)
    twice = lossworks.fit(rows, **CHOICES)
    monkeypatch.setattr(refit, "REFIT_AT_MOST", 299)
    once = lossworks.fit(rows, **CHOICES)
    assert once.record["result"]["refit_rows"] is None
    assert once.predictor.temperature == twice.predictor.temperature
    assert once.predictor.thresholds == twice.predictor.thresholds
    assert len(once.predictor.features) < len(twice.predictor.features)  # the words that only validation rows have


def test_validation_rows_of_their_own_stay_unseen() -> None:
    """Rows given for validation are never trained on."""
    rows = _rows(300)
    parts = assemble([load(rows)], [None], "auto", None, 0.1, 0, 0).parts
    train, valid = ([rows[i] for i in np.flatnonzero(of)] for of in (parts == TRAIN, parts != TRAIN))
    model = lossworks.fit(train, valid=valid, **CHOICES)
    assert model.record["result"]["refit_rows"] is None
    epochs = model.record["result"]["best_epoch"]
    assert _learnt(model) == _learnt(lossworks.fit(train, **CHOICES | {"epochs": epochs, "valid": 0}))


def test_test_rows_stay_unseen() -> None:
    """What the test rows say changes nothing that is learnt, and the figures are those of the final network."""
    rows, unseen = _rows(330)[:300], _rows(330)[300:]
    lies = [(text + " unheard of", "yes" if label == "no" else "no") for text, label in unseen]
    one, other = (lossworks.fit(rows, **CHOICES | {"test": test}) for test in (unseen, lies))
    assert one.record["result"]["refit_rows"] == other.record["result"]["refit_rows"] == 300
    assert _learnt(one) == _learnt(other)
    said = one.predict([text for text, _ in unseen])
    right = sum(answer == label for answer, (_, label) in zip(said, unseen, strict=True))
    assert one.metrics["accuracy"]["value"] == pytest.approx(right / 30)


def test_stopped_in_the_second_training(tmp_path: Path) -> None:
    """A run stopped there is resumed from the end of the first training, to the bits of one that was left alone."""
    rows = _rows(300)
    lossworks.fit(rows, out=tmp_path / "whole", **CHOICES)
    log = (tmp_path / "whole/log.jsonl").read_text("utf-8")
    last = log.count('"valid"')
    seen = 0

    def watch(event: str, fields: dict[str, Any]) -> None:
        nonlocal seen
        seen += event == "valid"
        if event == "valid" and seen == last:
            callbacks.stop.set()

    callbacks = Callbacks(watch=watch)
    with pytest.raises(Interrupted):
        lossworks.fit(rows, out=tmp_path / "run", callbacks=callbacks, **CHOICES)
    lossworks.fit(rows, out=tmp_path / "run", resume=True, **CHOICES)
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "run"))
    assert one.keys() == other.keys()
    assert all((one[name] == other[name]).all() for name in one)
    assert (tmp_path / "run/log.jsonl").read_text("utf-8").count('"valid"') == last


def test_begun_ahead_on_another_thread(tmp_path: Path, threads: Callable[[int], None]) -> None:
    """Begun beside the first, on two threads, the second training ends in the bits of one after the other: the weights and the
    optimizer's state. Who watches is told of all its epochs, after those of the first, and of no more.
    """
    found, told = [], list[tuple[str, Any, Any]]()
    for count in (1, 2):
        threads(count)
        told.clear()
        callbacks = Callbacks(watch=lambda event, fields: told.append((event, fields.get("epoch"), fields.get("epochs"))))
        model = lossworks.fit(_rows(300), out=(out := tmp_path / str(count)), callbacks=callbacks, **CHOICES)
        refits = [(epoch, epochs) for event, epoch, epochs in told if event == "refit"]
        best = model.record["result"]["best_epoch"]
        assert {epochs for _, epochs in refits} == {best} == {max(epoch for epoch, _ in refits)}
        assert sorted(refits) == refits
        assert max(place for place, each in enumerate(told) if each[0] == "valid") < [each[0] for each in told].index("refit")
        files = [out / "model.safetensors", *sorted(out.glob("optimizer/**/*.safetensors"))]
        found.append([(name, array.tobytes()) for file in files for name, array in sorted(load_file(file).items())])
    assert len(files) > 1
    assert found[0] == found[1]


@pytest.mark.parametrize("fails", ["first", "second"])
def test_ahead_ends_with_the_first(monkeypatch: pytest.MonkeyPatch, threads: Callable[[int], None], fails: str) -> None:
    """Where the first training fails, the one begun ahead is left, and where that one fails, the fit does, as without it."""
    threads(2)
    ended = threading.active_count()
    held_out, steps = ArrayObjective.held_out, ArrayObjective.steps

    def fail(self: ArrayObjective, *given: Any) -> Any:
        if (self.data.valid is not None and self.data.valid.rows > 0) == (fails == "first"):
            raise Diverged("as it was asked to")
        return (held_out if fails == "first" else steps)(self, *given)

    monkeypatch.setattr(ArrayObjective, "held_out" if fails == "first" else "steps", fail)
    with pytest.raises(Diverged, match="asked"):
        lossworks.fit(_rows(300), **CHOICES)
    assert not [thread for thread in threading.enumerate() if thread.name == "lossworks-ahead"]
    assert threading.active_count() <= ended + 1  # of the pool that shares work
