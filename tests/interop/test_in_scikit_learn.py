"""The estimators inside scikit-learn's tools, in other processes and in threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from joblib import parallel_config
from joblib.externals.loky import get_reusable_executor
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from lossworks.interop.sklearn import TextClassifier, TextRegressor

KINDS = (["lovely", "great", "fine", "superb"], ["awful", "poor", "broken", "grim"])


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """90 texts, long enough that the work on all is shared among threads: words of their class among anybody's."""
    rng = np.random.default_rng(0)
    return [" ".join([*rng.permutation(50).astype(str), *rng.choice(KINDS[row % 2], 3), "end"]) for row in range(90)]


@pytest.fixture(scope="module")
def labels() -> list[str]:
    """Their classes, in turn."""
    return ["good", "bad"] * 45


@pytest.fixture
def processes() -> Iterator[Any]:
    """joblib's, of which one will do; it is not left behind."""
    executor = get_reusable_executor(max_workers=1)
    yield executor
    executor.shutdown(wait=True)


def small(**choices: Any) -> TextClassifier:
    """A quick one, which learns from all it is given."""
    return TextClassifier(**{"model": "linear:bits=14", "epochs": 3, "valid": 0, **choices})


def cleaned(texts: list[str]) -> list[str]:
    """What stands at the end of every text taken off."""
    return [text.replace(" end", "") for text in texts]


def test_pipeline(texts: list[str], labels: list[str]) -> None:
    """As the last step, with texts cleaned before; the step's parameters are set from outside."""
    pipeline = make_pipeline(FunctionTransformer(cleaned), small())
    pipeline.set_params(textclassifier__epochs=5, textclassifier__valid=0.2, textclassifier__stop_by="macro_f1")
    assert pipeline.fit(texts, labels).score(texts, labels) > 0.9
    np.testing.assert_array_equal(pipeline.predict_proba(texts), pipeline[-1].predict_proba(cleaned(texts)))
    assert pipeline[-1].n_iter_ <= 5
    assert pipeline[-1].model_.record["config"]["stop_by"] == "macro_f1"


def test_cross_validation(texts: list[str], labels: list[str]) -> None:
    """Every text is scored by a model that has not seen it; regressors, too."""
    assert cross_val_score(small(), texts, labels, cv=3).mean() > 0.8
    assert cross_val_predict(small(), texts, labels, cv=3, method="predict_proba").shape == (90, 2)
    numbers = (np.array(labels) == "good") * 10
    assert cross_val_score(TextRegressor(model="linear:bits=14", valid=0), texts, numbers, cv=2).mean() > 0.2


GRID = [
    {"model": ["linear:bits=14"], "loss": ["cross_entropy", "mse"], "epochs": np.arange(1, 3)},
    {"model": ["bag:dim=4,dropout=0.3,bits=14"], "optimizer": ["adam:lr=0.01"], "epochs": [2], "random_state": [0, 1, 2]},
]


@pytest.fixture(scope="module")
def alone(texts: list[str], labels: list[str]) -> Any:
    """What the grid comes to, one fit after the other."""
    return GridSearchCV(small(), GRID, cv=2, scoring="neg_log_loss").fit(texts, labels).cv_results_["mean_test_score"]


def same_figures(search: Any, texts: list[str], alone: Any) -> None:
    """The very figures of one fit after the other: of models with random steps in them, too."""
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], alone)
    assert np.isfinite(alone).all()
    assert search.predict(texts).shape == (90,)


def test_grid_search_in_threads(texts: list[str], labels: list[str], alone: Any) -> None:
    """Two fits at once."""
    with parallel_config("threading", n_jobs=2):
        same_figures(GridSearchCV(small(), GRID, cv=2, scoring="neg_log_loss").fit(texts, labels), texts, alone)


def test_grid_search_in_another_process(processes: Any, texts: list[str], labels: list[str], alone: Any) -> None:
    """A new one of joblib's, which has loaded nothing: what is sent to it and back is all that counts."""
    search = processes.submit(GridSearchCV(small(), GRID, cv=2, scoring="neg_log_loss").fit, texts, labels)
    same_figures(search.result(), texts, alone)


def test_estimators_of_estimators(texts: list[str], labels: list[str]) -> None:
    """Calibrated again, with another cut, and voting beside scikit-learn's own."""
    for outer in (
        CalibratedClassifierCV(small(), cv=2),
        TunedThresholdClassifierCV(small(), cv=2),
        VotingClassifier(
            [("ours", small(epochs=10)), ("theirs", make_pipeline(TfidfVectorizer(), LogisticRegression(C=10)))], voting="soft"
        ),
    ):
        assert outer.fit(texts, labels).score(texts, labels) > 0.8


def test_learning_curve(texts: list[str], labels: list[str]) -> None:
    """More texts, better answers."""
    sizes, _, held_out = learning_curve(small(), texts, labels, train_sizes=[0.2, 1.0], cv=3, scoring="neg_log_loss")
    assert sizes.tolist() == [12, 60]
    assert held_out[1].mean() > held_out[0].mean()


def test_weights_by_routing(texts: list[str], labels: list[str]) -> None:
    """Sample weights reach ``fit`` where they are asked for: each fold's model is the one fitted by hand with its weights."""
    weight = np.linspace(0.1, 2, len(texts))
    with config_context(enable_metadata_routing=True):
        asked = small().set_fit_request(sample_weight=True).set_score_request(sample_weight=False)
        found = cross_validate(
            asked, texts, labels, cv=2, params={"sample_weight": weight}, return_estimator=True, return_indices=True
        )
    for estimator, rows in zip(found["estimator"], found["indices"]["train"], strict=True):
        by_hand, unweighted = (small().fit(np.array(texts)[rows], np.array(labels)[rows], w) for w in (weight[rows], None))
        np.testing.assert_array_equal(estimator.predict_proba(texts), by_hand.predict_proba(texts))
        assert (by_hand.predict_proba(texts) != unweighted.predict_proba(texts)).any()
