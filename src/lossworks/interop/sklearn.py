"""scikit-learn's estimators: ``TextClassifier`` and ``TextRegressor`` take raw text, and work wherever theirs do
(``Pipeline``, ``cross_val_score``, ``GridSearchCV``, ``CalibratedClassifierCV``, …).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..api import Model, fit
from ..core.errors import DataError, UsageError
from .columns import texts_of

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import Tags, check_array, check_consistent_length, check_random_state, column_or_1d, compute_class_weight
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted
except ModuleNotFoundError:
    raise UsageError("scikit-learn is not installed. Install it, or all at once: pip install 'lossworks[sklearn]'.") from None


@dataclass(kw_only=True, eq=False, repr=False)
class _TextEstimator(BaseEstimator):  # type: ignore[misc]
    """The parameters are the constructor's alone, which is all that scikit-learn wants of one; ``fit`` checks them."""

    model: str = "linear"
    loss: str | None = None
    optimizer: str | None = None
    penalty: str | None = None
    lr: float | str | None = None
    schedule: str = "constant"
    epochs: int | None = None
    batch_size: int | str | None = None
    clip: float | None = None
    ema: float | None = None
    patience: int | None = None
    valid: float = 0.1
    random_state: Any = 0
    device: str = "cpu"

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = tags.input_tags.one_d_array = tags.target_tags.one_d_labels = True
        tags.input_tags.two_d_array = False
        return tags

    def _train(self, texts: list[str], y: list[Any], weight: NDArray[Any] | None, task: str, **more: Any) -> None:
        names = set(_TextEstimator.__dataclass_fields__) - {"random_state"}
        settings = {name: _plain(getattr(self, name)) for name in names}
        rows = zip(texts, y, strict=True) if weight is None else zip(texts, y, weight.tolist(), strict=True)
        model = fit(rows, task=task, test=0.0, seed=self._seed(), **settings, **more)
        assert isinstance(model, Model)
        self.model_ = model
        self.n_iter_: int = model.record["result"]["epochs"]

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)  # the same fit as ``lossworks.fit`` with this seed
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))


@dataclass(kw_only=True, eq=False, repr=False)
class TextClassifier(ClassifierMixin, _TextEstimator):  # type: ignore[misc]
    """Tells classes of text apart, raw text in.

    ``X`` is a column of texts: a list, a 1-D array, a pandas or polars Series. Where a parameter is None, ``fit`` chooses
    what suits the model and the data.

    Parameters:
        model: "linear" or "bag", with settings as in "linear:words=3".
        loss, optimizer, penalty: as "cross_entropy:smoothing=0.1", "adam", "l1:1e-6"; ``lossworks list`` names them.
        lr: the learning rate, over what ``optimizer`` says; "auto": found by short runs.
        schedule: of the learning rate, as "cosine:warmup=5%".
        epochs: passes over the training rows at most.
        batch_size: rows a step.
        clip: the norm that the gradient is cut to.
        ema: the decay of a moving average of the weights, to predict with.
        clip: the norm that the gradient is cut to.
        ema: the decay of a moving average of the weights, to predict with.
        patience: epochs without a better held-out score before training stops.
        class_weight: "balanced", or {class: factor}, 1 for those not named; it multiplies the training loss.
        valid: the share of the rows that ``fit`` holds out to stop early and to calibrate the probabilities (none of
            fewer than 40 rows). Nothing else is held out: testing is the caller's.
        random_state: an int gives the same model every time; a RandomState, or None for NumPy's own, a new one.
        device: "cpu", "cuda", ….

    Attributes:
        classes_: the classes [classes], of the kind that y was, in sorted order.
        n_iter_: the epochs run.
        model_: the trained ``lossworks.Model``; it knows the classes as numbers.
    """

    class_weight: str | dict[Any, float] | None = None

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on texts X [n] and their classes y [n]; a row of weight 0 is as good as not there.

        Raises:
            DataError, UsageError: X, y or a parameter does not fit (both are ValueErrors).
            Diverged: the loss stopped being finite.
        """
        _check_given(self, y)
        check_classification_targets(y)
        texts, y, weight = _rows(X, column_or_1d(y, warn=True), sample_weight)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            rows = "rows" if weight is None else "rows of a weight above 0"
            raise DataError(
                f"y holds one class only, {self.classes_.tolist()}, in all {len(y):,} {rows}; wanted at least 2 classes."
            )
        names = np.array([f"{number:09}" for number in range(len(self.classes_))])  # sorted as the numbers are
        self._train(texts, names[numbers].tolist(), weight, "classify", class_weight=self._class_weight(y, names))
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each text [n]. (For another cut: scikit-learn's ``TunedThresholdClassifierCV``.)"""
        best = self.predict_proba(X).argmax(1)
        return np.asarray(self.classes_[best])

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Calibrated probabilities [n, classes]."""
        check_is_fitted(self)
        return self.model_.predict_proba(texts_of(X, may_be_empty=True))

    def _class_weight(self, y: NDArray[Any], names: NDArray[Any]) -> str | None:
        given = self.class_weight
        if given is None or given == "balanced":
            return given
        if not isinstance(given, dict):
            raise UsageError(f"class_weight is {given!r}; wanted None, 'balanced', or a dict {{class: factor}}.")
        factors = compute_class_weight(given, classes=self.classes_, y=y)
        return ",".join(f"{name}={factor}" for name, factor in zip(names, factors.tolist(), strict=True))


@dataclass(kw_only=True, eq=False, repr=False)
class TextRegressor(RegressorMixin, _TextEstimator):  # type: ignore[misc]
    """Predicts a number from raw text. X, parameters and attributes are those of ``TextClassifier``, without classes."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on texts X [n] and their numbers y [n]; a row of weight 0 is as good as not there.

        Raises:
            DataError, UsageError: X, y or a parameter does not fit (both are ValueErrors).
            Diverged: the loss stopped being finite.
        """
        _check_given(self, y)
        y = check_array(column_or_1d(y, warn=True), ensure_2d=False, dtype=np.float64, input_name="y")
        texts, y, weight = _rows(X, y, sample_weight)
        self._train(texts, y.tolist(), weight, "regress")
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """A number for each text [n]."""
        check_is_fitted(self)
        return np.asarray(self.model_.predict(texts_of(X, may_be_empty=True)), np.float64)


def _check_given(estimator: BaseEstimator, y: Any) -> None:
    if y is None:
        name = type(estimator).__name__
        raise UsageError(f"{name} requires y to be passed, but the target y is None. Give what is to be predicted of each text.")


def _rows(X: Any, y: NDArray[Any], sample_weight: Any) -> tuple[list[str], NDArray[Any], NDArray[Any] | None]:
    """The rows to train on, those of weight 0 left out."""
    texts = texts_of(X, may_be_empty=False)
    check_consistent_length(texts, y)
    if sample_weight is None:
        return texts, y, None
    weight = _check_sample_weight(sample_weight, texts, dtype=np.float64)
    if (weight < 0).any():
        row = int((weight < 0).argmax())
        raise DataError(f"sample_weight[{row}] is {weight[row]}; wanted numbers of 0 or more.")
    kept = np.flatnonzero(weight)
    return [texts[row] for row in kept], y[kept], weight[kept]


def _plain(value: Any) -> Any:
    """NumPy's numbers, which parameter grids are made of, as Python's own."""
    return value.item() if isinstance(value, np.generic) else value
