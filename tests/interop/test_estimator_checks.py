"""scikit-learn's own estimator checks.

They feed arrays of numbers, and pass over an estimator whose tags say that it takes none. So those that look at the class
alone run on ours as it is; all of them run on adaptors that spell each row of numbers as words, and leave the rest to ours.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.exceptions import SkipTestWarning
from sklearn.utils import Tags, estimator_checks
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data

from lossworks.interop.sklearn import TextClassifier, TextRegressor

pytestmark = pytest.mark.usefixtures("once")

WITHOUT_ARRAYS = [
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_estimators_unfitted",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
]

NOT_FOR_US = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a row of weight 2 is one text among the texts an n-gram occurs in, and one in a mini-batch; a row given twice is two"
    ),
}


class _OnNumbers:
    """Comes before one of our estimators: numbers in, checked as scikit-learn's own estimators check them."""

    def __sklearn_tags__(self) -> Tags:
        tags: Tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.two_d_array = True
        tags.input_tags.string = tags.input_tags.one_d_array = False
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        if y is not None:  # ours has a word to say about that
            X, y = validate_data(self, X, y, dtype=np.float64)
            X = spelled(X)
        return super().fit(X, y, sample_weight)  # type: ignore[misc]

    def _spelled(self, X: Any) -> list[str]:
        check_is_fitted(self)
        return spelled(validate_data(self, X, dtype=np.float64, reset=False))


class ClassifierOnNumbers(_OnNumbers, TextClassifier):
    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        return super().predict_proba(self._spelled(X))


class RegressorOnNumbers(_OnNumbers, TextRegressor):
    def predict(self, X: Any) -> NDArray[np.float64]:
        return super().predict(self._spelled(X))


def spelled(X: NDArray[np.float64]) -> list[str]:
    """Each row [columns] as words: "f0b3 f1b2" where column 0 is within 1.5 to 2 and column 1 within 1 to 1.5."""
    bins = np.floor(np.clip(X, -1e9, 1e9) * 2).astype(np.int64)
    return [" ".join(f"f{column}b{number}" for column, number in enumerate(row)) for row in bins.tolist()]


SMALL: dict[str, Any] = {"model": "linear:bits=12", "epochs": 8}


@parametrize_with_checks(
    [ClassifierOnNumbers(**SMALL), RegressorOnNumbers(**SMALL)], expected_failed_checks=lambda estimator: NOT_FOR_US
)
def test_every_check_on_numbers_spelled_as_words(estimator: Any, check: Callable[[Any], None]) -> None:
    """What scikit-learn owes its users, ours keeps."""
    check(estimator)


@pytest.mark.parametrize("name", WITHOUT_ARRAYS)
@pytest.mark.parametrize("estimator", [TextClassifier(), TextRegressor()], ids=lambda estimator: type(estimator).__name__)
def test_checks_of_the_class_alone(estimator: Any, name: str) -> None:
    """The real classes, with nothing between."""
    getattr(estimator_checks, name)(type(estimator).__name__, estimator)


def test_the_checks_leave_text_alone() -> None:
    """Why the adaptors are needed: once scikit-learn checks text estimators itself, this fails, and they can go."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        results = check_estimator(TextClassifier())
    assert [result["check_name"] for result in results] == ["check_estimator_cloneable"]
    assert [warning.category for warning in caught] == [SkipTestWarning]


class _Neighbourly(ClassifierOnNumbers):
    """A broken one: the mean of the batch decides the answer, so a row's answer depends on its neighbours."""

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        proba = super().predict_proba(X)
        mixed: NDArray[np.float64] = (proba + proba.mean(0)) / 2
        return mixed


def test_a_broken_estimator_is_caught() -> None:
    """The adaptors leave the checks their teeth."""
    with pytest.raises(AssertionError):
        estimator_checks.check_methods_subset_invariance("broken", _Neighbourly(**SMALL))
