"""scikit-learn estimators for raw text, ``TextClassifier`` and ``TextRegressor``, for use in ``Pipeline``, ``cross_val_score``,
``GridSearchCV``, ``CalibratedClassifierCV`` and the like.
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
    raise UsageError("scikit-learn is not installed. Install it with: pip install 'lossworks[sklearn]'.") from None


@dataclass(kw_only=True, eq=False, repr=False)
class _TextEstimator(BaseEstimator):  # type: ignore[misc]
    """The constructor only stores its parameters, as scikit-learn requires; ``fit`` checks them."""

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
    stop_by: str | None = None
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
    """Classifies raw text.

    ``X`` is a column of texts: a list, a 1-D array, a pandas or polars Series. Where a parameter is None, ``fit`` chooses a
    value that suits the model and the data.

    Parameters:
        model: a spec, such as "linear:words=2" or "bag:dim=32"; ``lossworks list models`` lists them.
        loss: a spec, such as "cross_entropy:label_smoothing=0.1".
        optimizer: a spec, such as "adam" or "sgd:momentum=0.9".
        penalty: a spec, such as "l1:strength=1e-6".
        lr: the learning rate; overrides that of ``optimizer``. "auto": found by short runs.
        schedule: of the learning rate, such as "cosine:warmup=5%".
        epochs: the maximum number of passes over the training rows.
        batch_size: rows per step.
        clip: the maximum norm of the gradient.
        ema: the decay of the moving average of the weights that predictions use.
        patience: epochs without a better validation score before training stops.
        stop_by: the metric of that score, such as "macro_f1"; None: the log loss, weighted as in training; of numbers the mse.
        class_weight: "balanced", or {class: factor}, 1 for classes not named; multiplies the training loss.
        valid: the share of the rows that ``fit`` holds out for early stopping and calibration (none if fewer than 40 rows).
            There is no test set: testing is the caller's task.
        random_state: an int makes the model reproducible; a RandomState, or None for NumPy's own, gives a new one each time.
        device: "cpu", "cuda", ….

    Attributes:
        classes_: the classes [classes], sorted, of the type of y.
        n_iter_: the number of epochs.
        model_: the trained ``lossworks.Model``; its labels are the indices of ``classes_``.
    """

    class_weight: str | dict[Any, float] | None = None

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on texts X [n] and their classes y [n]; rows of weight 0 are ignored.

        Raises:
            DataError, UsageError: X, y or a parameter is invalid (both are ValueErrors).
            Diverged: the loss was not finite.
        """
        _check_given(self, y)
        check_classification_targets(y)
        texts, y, weight = _rows(X, column_or_1d(y, warn=True), sample_weight)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            rows = "rows" if weight is None else "rows of a weight above 0"
            raise DataError(
                f"y holds only one class, {self.classes_.tolist()}, in all {len(y):,} {rows}; wanted at least 2 classes."
            )
        names = np.array([f"{number:09}" for number in range(len(self.classes_))])  # sorted as the numbers are
        self._train(texts, names[numbers].tolist(), weight, "classify", class_weight=self._class_weight(y, names))
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each text [n]. (For another threshold: ``TunedThresholdClassifierCV``.)"""
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
    """Predicts a number from raw text. X, parameters and attributes are as in ``TextClassifier``, without classes."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on texts X [n] and their numbers y [n]; rows of weight 0 are ignored.

        Raises:
            DataError, UsageError: X, y or a parameter is invalid (both are ValueErrors).
            Diverged: the loss was not finite.
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
        raise UsageError(f"{name} requires y to be passed, but the target y is None. Give the target of each text.")


def _rows(X: Any, y: NDArray[Any], sample_weight: Any) -> tuple[list[str], NDArray[Any], NDArray[Any] | None]:
    """The training rows, without those of weight 0."""
    texts = texts_of(X, may_be_empty=False)
    check_consistent_length(texts, y)
    if sample_weight is None:
        return texts, y, None
    weight = _check_sample_weight(sample_weight, texts, dtype=np.float64)
    if (weight < 0).any():
        row = int((weight < 0).argmax())
        raise DataError(f"sample_weight[{row}] is {weight[row]}; wanted 0 or more.")
    kept = np.flatnonzero(weight)
    return [texts[row] for row in kept], y[kept], weight[kept]


def _plain(value: Any) -> Any:
    """NumPy scalars, as in parameter grids, as Python numbers."""
    return value.item() if isinstance(value, np.generic) else value
