"""When rows were learned: figures by hand, looks that change nothing, the network of each epoch, planted label flips."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lossworks
from lossworks.attribution import learning
from lossworks.attribution.learning import Learning, looks_at
from lossworks.core.errors import DataError, UsageError
from lossworks.data import Shards

WORDS = ["good", "fine", "bad", "sad", "odd", "red"]
STEADY: dict[str, Any] = {"schedule": "constant", "valid": 0, "test": 0}


def texts(kind: str = "classify", count: int = 90) -> list[Any]:
    """Noisy rows of any kind of task."""
    chance, rows = np.random.default_rng(1), list[Any]()
    for number in range(count):
        words = chance.choice(WORDS, 3).tolist()
        score = sum(word in WORDS[:2] for word in words) + chance.normal() / 2
        label: Any = ("no", "yes")[int(score > 1)]
        label = {"classify": label, "regress": float(score), "multilabel": [label, words[0]]}[kind]
        rows.append({"text": f"{' '.join(words)} n{number % 40}", "label": label})
    return rows


def seen(right: list[list[int]], course: list[list[float]] | None = None) -> Learning:
    """Looks [L][N] made up."""
    marks = np.array(right, bool)
    chances = np.array(course if course is not None else right, np.float32)
    return Learning(
        rows=np.arange(marks.shape[1]), labels=["a"] * marks.shape[1], epochs=np.arange(1.0, len(marks) + 1), loss=chances,
        course=chances, right=marks, el2n=chances[0], early=1.0, exact=True, off=0.0, loss_name="cross_entropy", second=False,
    )  # fmt: skip


def test_by_hand() -> None:
    """Always right, learned late, forgotten twice, never right, right but at the end."""
    found = seen([[1, 0, 1, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 0, 1], [1, 1, 0, 0, 0]])
    np.testing.assert_array_equal(found.forgotten, [0, 0, 2, 0, 1])
    np.testing.assert_array_equal(found.first_learned, [1, 3, 1, np.nan, 1])
    np.testing.assert_array_equal(found.last_wrong, [np.nan, 2, 4, 4, 4])
    np.testing.assert_array_equal(found.learned, [1, 3, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(found.correctness, [1, 0.5, 0.5, 0, 0.75])


def test_data_map() -> None:
    """Confidence and variability are mean and standard deviation of the probability; the ends of the map in their order."""
    course = [[0.9, 0.1, 0.2, 0.5], [1.0, 0.1, 0.8, 0.5], [0.8, 0.1, 0.2, 0.8]]
    found = seen([[1, 0, 0, 1]] * 3, course)
    np.testing.assert_allclose(found.mean, np.mean(course, 0), rtol=1e-6)
    np.testing.assert_allclose(found.spread, np.std(course, 0), atol=1e-7)
    assert found.hard(2).tolist() == [1, 2]
    assert found.ambiguous(1).tolist() == [2]
    assert found.easy(9).tolist() == [0, 3, 2, 1]


def test_steps_to_look_after() -> None:
    """The ends of epochs, evenly spread where there are many, the first and the last among them; of few epochs, five or more."""
    ends = [7 * n for n in range(1, 41)]
    assert looks_at(ends[:6], 30) == ends[:6]
    assert looks_at(ends, 5) == [7, 77, 147, 210, 280]
    assert looks_at([100, 200], 30) == [33, 67, 100, 133, 167, 200]
    assert looks_at([3], 30) == [1, 2, 3]
    assert looks_at([1, 2, 3], 30) == [1, 2, 3]


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "linear": ("classify", {"model": "linear:bits=10,chars=3", "epochs": 2, "batch_size": 8, "penalty": "l1:strength=0.001"}),
    "average": ("classify", {"model": "linear:bits=10", "epochs": 6, "optimizer": "adam:lr=0.02", "ema": 0.9}),
    "schedule free": ("regress", {"model": "bag:dim=4,dropout=0.3", "epochs": 3, "optimizer": "schedule_free_adamw:lr=0.02"}),
    "bag": ("multilabel", {"model": "bag:dim=4,dropout=0.3", "epochs": 4, "batch_size": 16}),
    "rnn": ("classify", {"model": "rnn_encoder:dim=8,tokens=words,dropout=0.2", "epochs": 2, "batch_size": 16}),
    "transformer": (
        "classify",
        {"model": "transformer_encoder:dim=8,heads=2,layers=1,tokens=words,dropout=0.2", "epochs": 2, "batch_size": 16},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_looks_change_nothing(case: str, tmp_path: Path) -> None:
    """The training ends in the saved model's bits; the last look says what the model says of the rows."""
    kind, choices = CASES[case]
    rows = texts(kind)
    model = lossworks.fit(rows, out=tmp_path / "run", **choices)
    found = lossworks.learning(tmp_path / "run", rows).found
    assert found.exact
    assert found.off == 0
    assert len(found.epochs) >= min(learning.FEWEST, choices["epochs"] * 2)
    result = model.record["result"]
    assert found.second
    assert len(found.rows) == result["refit_rows"]
    assert found.epochs[-1] == result["best_epoch"]
    plain = [rows[row]["text"] for row in found.rows]
    scores = model.predictor.scores(plain)
    if kind == "regress":
        target = np.array([rows[row]["label"] for row in found.rows])
        np.testing.assert_allclose(found.course[-1], (scores - target) ** 2, rtol=1e-3, atol=1e-5)
        assert found.right is None
        return
    model.predictor.temperature = 1.0
    chances = model.predict_proba(plain)
    labels = [rows[row]["label"] for row in found.rows]
    true = np.array([[label in (own if isinstance(own, list) else [own]) for label in model.labels] for own in labels])
    if kind == "classify":
        np.testing.assert_allclose(found.course[-1], chances[true], rtol=1e-4)
        assert found.right is not None
        np.testing.assert_array_equal(found.right[-1], chances.argmax(1) == true.argmax(1))
    else:
        right = np.where(true, chances, 1 - chances)
        np.testing.assert_allclose(found.course[-1], np.exp(np.log(right).mean(1)), rtol=1e-4)
    assert found.labels == [tuple(sorted(own)) if isinstance(own, list) else own for own in labels]


def test_rows_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that wait on disk, in an order of their own, are each their own row still."""

    def small(folder: Path, seed: str, budget: int, name: str) -> Shards:
        return Shards(folder, seed, 1000, name)

    monkeypatch.setattr("lossworks.training.assembling.Shards", small)
    rows = texts(count=200)
    model = lossworks.fit(rows, model="linear:bits=10", epochs=5, out=tmp_path / "run")
    found = lossworks.learning(tmp_path / "run", rows).found
    assert found.exact
    model.predictor.temperature = 1.0
    chances = model.predict_proba([rows[row]["text"] for row in found.rows])
    true = np.array([[rows[row]["label"] == label for label in model.labels] for row in found.rows])
    np.testing.assert_allclose(found.course[-1], chances[true], rtol=1e-4)


def test_pretrained(tmp_path: Path) -> None:
    """A classifier of Hugging Face, with adapters: looked at within its one epoch, and the same in the end."""
    pytest.importorskip("peft")
    from models.hf import hf_files

    rows = [(row["text"], row["label"]) for row in texts(count=60)]
    folder = hf_files.bert(tmp_path / "bert")
    hf_files.fitted(folder, rows, tmp_path / "run", more=",lora=2", batch_size=8)
    found = lossworks.learning(tmp_path / "run", rows).found
    assert found.exact
    assert len(found.epochs) == 5


def test_each_look_is_of_its_epoch(tmp_path: Path) -> None:
    """After the k-th epoch stands what a training of k epochs alone says of the rows; the loss is the one trained on."""
    rows, how = texts(), {"model": "linear:bits=10", "optimizer": "adagrad:lr=0.3", "loss": "focal", **STEADY}
    lossworks.fit(rows, epochs=8, out=tmp_path / "run", **how)
    found = lossworks.learning(tmp_path / "run", rows).found
    assert found.epochs.tolist() == list(range(1, 9))
    for epochs in (1, 5):
        model = lossworks.fit(rows, epochs=epochs, **how)
        true = np.array([[row["label"] == label for label in model.labels] for row in rows])
        chances = model.predict_proba([row["text"] for row in rows])
        np.testing.assert_allclose(found.course[epochs - 1], chances[true], rtol=1e-5)
        p = chances[true]
        np.testing.assert_allclose(found.loss[epochs - 1], -((1 - p) ** 2) * np.log(p), rtol=1e-4, atol=1e-6)
        if epochs == found.early:
            np.testing.assert_allclose(found.el2n, np.linalg.norm(chances - true, axis=1), rtol=1e-4)
    assert found.early == 1
    assert not found.second


def test_planted_flips_are_hard(tmp_path: Path) -> None:
    """Of labels turned round in one row of ten, nearly all are among the rows of least confidence."""
    rng = np.random.default_rng(0)
    rows, flipped = [], rng.random(400) < 0.1
    for number in range(400):
        good = bool(rng.random() < 0.5)
        text = " ".join([*rng.choice(("lovely", "great", "fine") if good else ("awful", "poor", "broken"), 2), f"n{number % 60}"])
        rows.append((text, ("bad", "good")[int(good ^ flipped[number])]))
    lossworks.fit(rows, model="linear:bits=12,chars=0", epochs=8, out=tmp_path / "run", **STEADY)
    result = lossworks.learning(tmp_path / "run", rows)
    found = result.found
    order = np.argsort(np.argsort(-found.mean))  # the rank of hardness
    auc = (order[flipped].sum() - flipped.sum() * (flipped.sum() - 1) / 2) / (flipped.sum() * (~flipped).sum())
    assert auc >= 0.97
    hardest = found.hard(int(flipped.sum()))
    assert flipped[hardest].mean() >= 0.8
    assert [row["row"] for row in result.lists["hard"]][:10] == found.rows[hardest][:10].tolist()
    first = result.lists["hard"][0]
    assert (first["text"], first["label"]) == rows[first["row"]]
    assert first["place"] == f"row {first['row'] + 1}" or str(first["row"] + 1) in first["place"]


def test_table_and_json(tmp_path: Path) -> None:
    """A row for each training row, plain values; of rows never learned there is no epoch."""
    rows = texts()
    lossworks.fit(rows, model="linear:bits=10", epochs=5, out=tmp_path / "run")
    found = lossworks.learning(tmp_path / "run", rows)
    table = found.table()
    assert len(table) == len(found.found.rows)
    assert table["row"].to_list() == found.found.rows.tolist()
    told = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert len(told["rows"]) == len(table)
    assert told["exact"] is True
    assert "training rows" in repr(found)
    numbers = texts("regress")
    lossworks.fit(numbers, model="linear:bits=10", epochs=5, out=tmp_path / "numbers")
    told = lossworks.learning(tmp_path / "numbers", numbers).to_json()
    assert set(told["rows"][0]) == {"row", "label", "mean", "spread", "last"}
    assert "median squared error fell from" in told["verdict"]


def test_what_cannot_be_looked_at(tmp_path: Path) -> None:
    """Models that have no steps, language models, data that is gone or other data, too few looks: each says what is wanted."""
    rows = texts()
    lossworks.fit(rows, model="ngram:order=1", out=tmp_path / "counted")
    with pytest.raises(UsageError, match=r"holds one ngram:order=1.* a class, fitted in one call: there are no steps or epochs"):
        lossworks.learning(tmp_path / "counted", rows)
    lossworks.fit([row["text"] for row in rows], task="lm", model="ngram:order=1", out=tmp_path / "lm")
    with pytest.raises(UsageError, match="holds a language model, and this is for classifiers and regressions"):
        lossworks.learning(tmp_path / "lm")
    lossworks.fit(rows, model="linear:bits=10", epochs=2, out=tmp_path / "run")
    with pytest.raises(UsageError, match=r"is not here. Give it: lossworks explain .*run --learning --data FILE"):
        lossworks.learning(tmp_path / "run")
    with pytest.raises(DataError, match="not those that the run was trained on"):
        lossworks.learning(tmp_path / "run", rows[1:])
    with pytest.raises(UsageError, match="looks is 1; wanted 2 or more"):
        lossworks.learning(tmp_path / "run", rows, looks=1)
