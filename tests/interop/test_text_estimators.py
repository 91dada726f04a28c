"""The estimators by themselves: what they take, what they refuse and with what words, and what they keep."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import lossworks
from lossworks.core.errors import DataError, UnknownName, UsageError
from lossworks.interop.sklearn import TextClassifier, TextRegressor

GOOD, BAD, DULL = "lovely great wonderful fine", "awful broken poor terrible", "grey plain table chair"
SMALL: dict[str, Any] = {"model": "linear:bits=12", "epochs": 3}


def corpus(*classes: Any, rows: int = 60) -> tuple[list[str], list[Any]]:
    """Texts of the given classes in turn: two of the class's own words among what any text may say."""
    rng = np.random.default_rng(1)
    words = [kind.split() for kind in (GOOD, BAD, DULL)]
    chosen = [words[row % len(classes)] for row in range(rows)]
    texts = [f"the {rng.choice(own)} thing number {row} was {rng.choice(own)}" for row, own in enumerate(chosen)]
    return texts, [classes[row % len(classes)] for row in range(rows)]


@pytest.mark.parametrize(
    ("classes", "kind"),
    [
        (("up", "down"), np.str_),
        ((3, 1, 2), np.int64),
        ((False, True), np.bool_),
        ((1.0, 2.0), np.float64),
        (tuple(range(8, 19)), np.int64),
    ],
)
def test_classes_come_back_as_they_were(classes: tuple[Any, ...], kind: type) -> None:
    """Sorted by value and of the same kind, also where there are more than ten of them."""
    texts, y = corpus(*classes[:3])
    if len(classes) > 3:
        texts, y = [f"word{number}" for number in classes] * 6, list(classes) * 6
    estimator = TextClassifier(model="linear:bits=12", valid=0).fit(texts, y)
    assert estimator.classes_.tolist() == sorted(set(y))
    said = estimator.predict(texts)
    assert isinstance(said[0], kind)
    assert said.tolist() == y
    assert estimator.score(texts, y) == 1


def test_objects_as_classes_stay_python_text() -> None:
    """A column of objects gives objects."""
    texts, y = corpus("up", "down")
    assert type(TextClassifier(**SMALL).fit(texts, np.array(y, object)).predict(texts[:1])[0]) is str


@pytest.mark.parametrize(
    "held_as",
    [tuple, np.array, lambda texts: np.array(texts, object), pl.Series, iter, lambda texts: list(map(np.str_, texts))],
    ids=["tuple", "str array", "object array", "polars", "iterator", "NumPy texts"],
)
def test_any_column_of_texts_will_do(held_as: Callable[[list[str]], Any]) -> None:
    """The same model whatever holds the texts."""
    texts, y = corpus("up", "down")
    wanted = TextClassifier(**SMALL).fit(texts, y).predict_proba(texts)
    given = TextClassifier(**SMALL).fit(held_as(texts), y).predict_proba(held_as(texts))
    np.testing.assert_array_equal(given, wanted)


TWO = ["good", "bad"]


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        ("one text", [1], r"X is the single text 'one text'.*Give \[text\]"),
        (b"one text", [1], "X is bytes; wanted a column of texts"),
        ({"text": TWO}, [0, 1], "X is an object"),
        (7, [1], "X is the number 7"),
        (np.array([TWO], object).T, [0, 1], r"X has 2 dimensions, shape \(2, 1\).*X\[:, 0\]"),
        (pl.DataFrame({"text": TWO}), [0, 1], "X has 2 dimensions.*frame"),
        (np.array("text"), [0], "X has 0 dimensions"),
        (["good", None], [0, 1], r"X\[1\] is missing; wanted text. Fill"),
        (np.array([np.nan, "bad"], object), [0, 1], r"X\[0\] is the number nan"),
        (["good", b"bad"], [0, 1], r"X\[1\] is bytes; wanted text. Decode"),
        (pl.Series(["good", None]), [0, 1], r"X\[1\] is missing"),
        (["good", "bad", " \n"], [0, 1, 1], r"X\[2\] is empty"),
        (TWO, [0], "inconsistent numbers of samples"),
        (TWO, None, "requires y to be passed"),
        (TWO, ["same", "same"], r"only one class, \['same'\], in all 2 rows"),
        (TWO, [0.5, 1.5], "Unknown label type: continuous"),
        (TWO, [[1, 0], [0, 1]], "1d array"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(X: Any, y: Any, words: str) -> None:
    """Named by its row where it is one row, and with what to do."""
    with pytest.raises(ValueError, match=f"(?s){words}"):
        TextClassifier().fit(X, y)


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"model": "linaer"}, UnknownName, "Did you mean 'linear'"),
        ({"loss": "cross_entropi"}, UnknownName, "Did you mean"),
        ({"epochs": 0}, UsageError, "epochs is 0"),
        ({"valid": 1.0}, UsageError, "valid"),
        ({"class_weight": "even"}, UsageError, "class_weight is 'even'"),
        ({"class_weight": {"upp": 2}}, ValueError, "not in class_weight"),
        ({"random_state": "seed"}, ValueError, "seed"),
    ],
)
def test_parameters_are_checked_by_fit(parameters: dict[str, Any], error: type[Exception], words: str) -> None:
    """Not by the constructor, which scikit-learn clones with."""
    estimator = clone(TextClassifier(**parameters))
    with pytest.raises(error, match=words):
        estimator.fit(*corpus("up", "down"))


def test_what_is_asked_of_is_checked_too() -> None:
    """Before fit there is no answer; after it, empty texts and no texts at all have one."""
    estimator = TextClassifier(**SMALL)
    for ask in (estimator.predict, estimator.predict_proba):
        with pytest.raises(NotFittedError):
            ask(["text"])
    estimator.fit(*corpus("up", "down"))
    with pytest.raises(DataError, match=r"X\[0\] is missing"):
        estimator.predict([None])
    assert estimator.predict_proba([]).shape == (0, 2)
    assert len(estimator.predict([])) == 0
    np.testing.assert_allclose(estimator.predict_proba(["", "  "]).sum(1), 1)
    assert not hasattr(estimator, "n_features_in_")
    assert not hasattr(estimator, "feature_names_in_")


@pytest.mark.parametrize("model", ["linear:bits=12", "bag:dim=8,dropout=0.5,bits=12"])
def test_same_seed_same_bits(model: str) -> None:
    """An int or two equal RandomStates: equal models, those of ``lossworks.fit``; another seed: another one."""
    texts, y = corpus("up", "down")

    def proba(state: Any) -> NDArray[np.float64]:
        return TextClassifier(model=model, epochs=2, random_state=state).fit(texts, y).predict_proba(texts)

    np.testing.assert_array_equal(proba(3), proba(np.int64(3)))
    np.testing.assert_array_equal(proba(np.random.RandomState(3)), proba(np.random.RandomState(3)))
    assert (proba(3) != proba(4)).any()
    assert (proba(None) != proba(None)).any()
    ours = lossworks.fit(list(zip(texts, y, strict=True)), model=model, epochs=2, seed=3, test=0.0)
    np.testing.assert_array_equal(proba(3), ours.predict_proba(texts)[:, [ours.labels.index(kind) for kind in ("down", "up")]])


def test_weights() -> None:
    """Weight 0 is as good as not there, bit for bit; weight and class weight pull towards what they weigh."""
    texts, y = corpus("up", "down")
    weight = np.arange(len(y)) % 5 != 0
    fewer = TextClassifier(**SMALL).fit(np.array(texts)[weight], np.array(y)[weight], np.ones(weight.sum()))
    weighted = TextClassifier(**SMALL).fit(texts, y, weight.astype(float))
    np.testing.assert_array_equal(weighted.predict_proba(texts), fewer.predict_proba(texts))
    vague = ["the thing was"]
    plain, heavy = (TextClassifier(**SMALL, class_weight=w, valid=0).fit(texts, y) for w in (None, {"down": 9}))
    assert heavy.predict_proba(vague)[0, 0] > plain.predict_proba(vague)[0, 0] + 0.1
    rows = TextClassifier(**SMALL, valid=0).fit(texts, y, np.where(np.array(y) == "up", 9, 1))
    assert rows.predict_proba(vague)[0, 1] > plain.predict_proba(vague)[0, 1] + 0.1
    with pytest.raises(DataError, match=r"sample_weight\[1\] is -1"):
        plain.fit(TWO, [0, 1], [1, -1])
    with pytest.raises(DataError, match=r"only one class.* weight above 0"):
        plain.fit([*TWO, "fair"], [0, 1, 1], [0, 1, 1])


@pytest.mark.parametrize("model", ["linear", "bag:dim=8,bits=12"])
def test_pickles(model: str, tmp_path: Path) -> None:
    """By pickle, copy and joblib, mapped from the file or not: the same answers, and small."""
    texts, y = corpus("up", "down", "flat")
    estimator = TextClassifier(model=model, epochs=2).fit(texts, y)
    wanted = estimator.predict_proba(texts)
    packed = pickle.dumps(estimator)
    assert len(packed) < 200_000
    joblib.dump(estimator, tmp_path / "model")
    for again in (
        pickle.loads(packed),
        copy.deepcopy(estimator),
        joblib.load(tmp_path / "model"),
        joblib.load(tmp_path / "model", mmap_mode="r"),
    ):
        np.testing.assert_array_equal(again.predict_proba(texts), wanted)
        assert again.predict(texts).tolist() == estimator.predict(texts).tolist()
    assert again.fit(texts, y).n_iter_ == 2


def test_epochs_and_what_is_held_out() -> None:
    """``n_iter_`` counts the epochs run; ``valid`` is all that fit holds out, and without it no epoch is spared."""
    texts, y = corpus("up", "down", rows=100)
    parts = TextClassifier(**SMALL).fit(texts, y).model_.record["data"]["parts"]
    assert parts == {"train": 90, "valid": 10, "test": 0}
    parts = TextClassifier(**SMALL, valid=0.25).fit(texts, y).model_.record["data"]["parts"]
    assert parts == {"train": 75, "valid": 25, "test": 0}
    whole = TextClassifier(model="linear:bits=12", epochs=np.int64(7), lr=np.float64(0.2), valid=0).fit(texts, y)
    assert whole.n_iter_ == 7
    assert whole.model_.record["data"]["parts"]["train"] == 100
    noise = [y[row // 2] for row in range(len(y))]  # of which nothing is learnt that holds for other rows
    assert TextClassifier(model="linear:bits=12", optimizer="adagrad:lr=5", epochs=500).fit(texts, noise).n_iter_ < 500


def test_tags() -> None:
    """Text in one column, classes or numbers in another."""
    tags = TextClassifier().__sklearn_tags__()
    assert (tags.estimator_type, tags.input_tags.string, tags.input_tags.two_d_array) == ("classifier", True, False)
    assert tags.target_tags.required
    assert tags.classifier_tags is not None
    assert tags.classifier_tags.multi_class
    assert TextRegressor().__sklearn_tags__().estimator_type == "regressor"
    assert not hasattr(TextRegressor(), "class_weight")


def test_regressor() -> None:
    """Numbers in their own units, integers too; what is no number is refused."""
    texts, y = corpus(100, 140, 120)
    estimator = TextRegressor(model="linear:bits=12").fit(texts, y)
    assert estimator.score(texts, y) > 0.9
    assert estimator.predict([]).shape == (0,)
    with pytest.raises(ValueError, match="NaN"):
        estimator.fit(TWO, [1.0, np.nan])
    with pytest.raises(UsageError, match="regress"):
        TextRegressor(loss="cross_entropy").fit(texts, y)
