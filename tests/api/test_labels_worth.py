"""``labels_worth``: known worth is found, open ends are said, and by hand how the comparison is inverted."""

from __future__ import annotations

import importlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

import lossworks
from lossworks import labels_worth
from lossworks.api import Model
from lossworks.api.labels_worth import Point, _inverted, _point
from lossworks.core.errors import DataError, UsageError
from lossworks.engine import Callbacks

BAYES = "ngram:order=1,smoothing=additive,delta=0.3"
SMALL = "linear:bits=10,chars=0"
Rows = list[tuple[str, str]]


def rows(count: int, seed: int) -> Rows:
    """So many rows of each of two classes, whose words differ a little: with more rows they are told apart better."""
    draw, found = np.random.default_rng(seed), []
    for label in ("ham", "spam") * count:
        words = draw.integers(0, 300, 8)
        own = draw.random(8) < 0.35
        found.append(
            (
                " ".join(
                    f"{label[0] if mine else ''}w{word % 100 if mine else word}" for word, mine in zip(words, own, strict=True)
                ),
                label,
            )
        )
    return found


POOL, TEST = rows(120, 1), rows(150, 2)


def trained(given: Rows, **choices: Any) -> Model:
    """A small model of all rows."""
    model = lossworks.fit(given, **{"model": BAYES, "valid": 0, "test": 0, **choices})
    assert isinstance(model, Model)
    return model


def test_a_model_of_ten_labels_a_class_is_worth_about_ten() -> None:
    """Of models trained on 10 rows a class the typical value is near 10, and nearly all intervals hold 10."""
    found = [labels_worth(trained(rows(10, 100 + draw)), POOL, TEST, sizes=(2, 5, 10, 20, 50), draws=4) for draw in range(8)]
    assert sum(each.low <= 10 <= each.high for each in found) >= 7
    assert 6 < np.median([each.value for each in found]) < 17
    assert all(each.low <= each.value <= each.high for each in found)
    accuracy = [point.accuracy for point in found[0].points]
    assert accuracy[0] < accuracy[-1] - 0.1  # else the test could not fail


def test_open_ends() -> None:
    """A model of wrong labels is worth fewer than are tried, and nothing more is trained; one of many rows, more."""
    seen: list[dict[str, Any]] = []
    calls = Callbacks(watch=lambda event, fields: seen.append(fields) if event == "worth" else None)
    wrong = trained([(text, {"ham": "spam", "spam": "ham"}[label]) for text, label in POOL])
    found = labels_worth(wrong, POOL, TEST, sizes=(20, 50), draws=3, callbacks=calls)
    assert (found.value, found.low, found.high) == (0, 0, 0)
    assert found.sentence == "This model is worth fewer than 20 gold labels a class (with 95 % confidence)."
    assert [(each["number"], each["of"], each["labels"]) for each in seen] == [(1, 6, 20), (2, 6, 20), (3, 6, 20)]
    right = labels_worth(trained(rows(2000, 3)), POOL, TEST, sizes=(2, 5), draws=5)
    assert (right.value, right.low, right.high) == (math.inf,) * 3
    assert right.sentence == "This model is worth more than 5 gold labels a class (with 95 % confidence)."
    assert right.did["rows"] == {"train": 240, "left_out": 0, "test": 300}


def test_sentence() -> None:
    """Numbers are rounded, and an open end is said."""
    points = tuple(Point(n, 0.5, 0.0, 0.0, 0.0) for n in (2, 1000))
    found = lossworks.api.labels_worth.LabelsWorth(18.4, 0, math.inf, 0.5, points, {})
    assert found.sentence == "This model is worth about 18 gold labels a class (95 % interval fewer than 2 to more than 1,000)."
    assert found.to_json()["sentence"] == found.sentence
    assert found.to_json()["points"][1]["labels"] == 1000


def test_inversion_by_hand() -> None:
    """The ends are where the bounds come up to 0, the value where the mean does, on log n; means that fall are pooled first."""
    points = [
        Point(10, 0, -0.3, -0.4, -0.1),
        Point(40, 0, -0.1, -0.2, 0.1),
        Point(160, 0, 0.1, 0.0, 0.2),
        Point(640, 0, 0.2, 0.2, 0.3),
    ]
    assert _inverted(points) == pytest.approx((80, 20, 160))
    assert _inverted(points[:1]) == (math.inf, math.inf, math.inf)
    assert _inverted(points[:3]) == pytest.approx((80, 20, math.inf))  # a bound of 0 shows no difference
    assert _inverted(points[3:]) == (0, 0, 0)
    falling = [Point(1, 0, 0.01, -1, 1), Point(2, 0, -0.05, -1, 1), Point(8, 0, 0.02, -1, 1)]
    value, *_ = _inverted(falling)
    assert value == pytest.approx(2 * 4**0.5)  # -0.02 at 2, 0.02 at 8


def test_interval_by_hand() -> None:
    """Where only draws vary, it is the t interval for one more draw; equal texts are one example."""
    right = np.array([[1.0] * 4, [0.0] * 4, [1.0] * 4])
    found = _point(7, right, np.ones(4), np.arange(4, dtype=np.uint64))
    half = stats.t.ppf(0.975, 2) * np.sqrt(1 / 3) * np.sqrt(1 + 1 / 3)
    assert (found.labels, found.accuracy, found.difference) == pytest.approx((7, 2 / 3, -1 / 3))
    assert (found.low, found.high) == pytest.approx((-1 / 3 - half, -1 / 3 + half))
    draw = np.random.default_rng(0)
    rows, own = draw.integers(0, 2, (4, 30)).astype(float), draw.integers(0, 2, 30).astype(float)
    keys = np.arange(30, dtype=np.uint64)
    once = _point(7, rows, own, keys)
    twice = _point(7, np.tile(rows, 20), np.tile(own, 20), np.tile(keys, 20))
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))


def test_interval_covers_a_model_that_is_one_more_draw() -> None:
    """With draws and test rows that vary, an interval holds 0 for 93 % or more of the models that are one more draw."""
    draw, held, trials = np.random.default_rng(0), 0, 600
    for _ in range(trials):
        shares = np.clip(0.6 + 0.08 * draw.standard_normal((6, 1)) + 0.15 * draw.standard_normal((1, 100)), 0, 1)
        right = (draw.random((6, 100)) < shares).astype(float)
        found = _point(7, right[1:], right[0], np.arange(100, dtype=np.uint64))
        held += found.low <= 0 <= found.high
    assert held / trials >= 0.93


def test_rows_of_the_test_are_not_trained_on() -> None:
    """Pool rows with a test row's text are left out; the same call gives the same answer, another seed another one."""
    model = trained(rows(10, 5))
    first = labels_worth(model, POOL, TEST, sizes=(5, 20), draws=2)
    assert labels_worth(model, POOL, TEST, sizes=(5, 20), draws=2) == first
    assert labels_worth(model, POOL, TEST, sizes=(5, 20), draws=2, seed=1).points != first.points
    both = labels_worth(model, [*POOL, *TEST], TEST, sizes=(5, 20), draws=2)
    assert both.did["rows"] == {"train": 240, "left_out": 300, "test": 300}
    assert both.points == first.points


def test_draws_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """A draw is n rows of each class; more labels of a draw hold the fewer, and another draw has other rows and another seed."""
    seen: list[tuple[Rows, int]] = []
    module, model = importlib.import_module("lossworks.api.labels_worth"), trained(rows(10, 5))

    def fit(given: Rows, *, read: Any, settings: Any, callbacks: Any) -> Model:
        seen.append((given, settings.seed))
        return model

    monkeypatch.setattr(module, "fit", fit)
    labels_worth(model, POOL, TEST, sizes=(3, 8), draws=2)
    assert [sum(label == "ham" for _, label in given) for given, _ in seen] == [3, 3, 8, 8]
    assert [len({*given}) for given, _ in seen] == [6, 6, 16, 16]
    assert {*seen[0][0]} < {*seen[2][0]} <= {*POOL}
    assert {*seen[2][0]} != {*seen[3][0]}
    assert seen[0][1] == seen[2][1] != seen[3][1]


def test_a_model_taught_by_votes(tmp_path: Path) -> None:
    """Rules alone teach it; it is compared with its family on gold labels, trained with cross-entropy and no teacher."""
    votes = [{"text": text, "votes": [label if number % 4 else None, "ham"]} for number, (text, label) in enumerate(POOL)]
    path = tmp_path / "votes.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in votes), "utf-8")
    model = trained([text for text, _ in POOL], model=SMALL, teach=f"votes:{path}", valid=0.1, test=TEST, epochs=3)  # type: ignore[arg-type]
    found = labels_worth(model, POOL, TEST, sizes=(2, 5, 20), draws=2)
    assert found.did["model"].startswith("linear:")
    assert found.accuracy > 0.5
    bayes = labels_worth(model, POOL, TEST, sizes=(2, 5), draws=2, settings=lossworks.training.Settings(model=BAYES))
    assert bayes.did["model"] == BAYES
    assert bayes.points != found.points[:2]


def test_labels_of_another_type() -> None:
    """Numbers and texts that spell them are the same classes."""
    spelled = {"ham": "0", "spam": "1"}
    texts = [(text, spelled[label]) for text, label in POOL]
    numbers = [(text, int(spelled[label])) for text, label in TEST]
    found = labels_worth(trained(texts), texts, numbers, sizes=(2, 5), draws=2)
    assert found.accuracy > 0.7


def test_sizes_end_with_the_rarest_class() -> None:
    """What the rarest class has no rows for is not tried."""
    few = [row for number, row in enumerate(POOL) if row[1] == "ham" or number < 20]
    found = labels_worth(trained(rows(200, 6)), few, TEST, sizes=(2, 10, 11), draws=2)
    assert max(point.labels for point in found.points) <= 10


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"draws": 1}, UsageError, "draws is 1"),
        ({"sizes": (5, 2)}, UsageError, "ascending"),
        ({"sizes": ()}, UsageError, "ascending"),
        ({"sizes": (0, 2)}, UsageError, "sizes is 0"),
        ({"train": [*POOL, ("odd", "eggs")]}, DataError, "'eggs' was not seen"),
        ({"test": [*TEST, ("odd", "eggs")]}, DataError, "'eggs' was not seen"),
        ({"train": [row for row in POOL if row[1] == "ham"] + POOL[1:2]}, DataError, "1 rows have the label 'spam'"),
        ({"test": [TEST[0], TEST[0]]}, DataError, "holds one text"),
    ],
)
def test_refused(changed: dict[str, Any], error: type[Exception], said: str) -> None:
    """What cannot be compared is refused, with the place."""
    model = trained(rows(10, 5))
    with pytest.raises(error, match=said):
        labels_worth(**{"model": model, "train": POOL, "test": TEST, "draws": 2, **changed})


def test_no_classifier_is_refused() -> None:
    """A regression has no classes to label."""
    model = lossworks.fit([(text, number / 7) for number, (text, _) in enumerate(POOL)], model=SMALL, epochs=1)
    with pytest.raises(UsageError, match="only a classifier"):
        labels_worth(model, POOL, TEST)
