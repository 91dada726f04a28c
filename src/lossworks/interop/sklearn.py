"""scikit-learn's estimator: ``TextClassifier`` works in ``Pipeline``, ``cross_val_score`` and ``GridSearchCV``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from ..verbs import Model, fit


class TextClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Texts X [n] and their classes y [n]; the parameters are those of ``lossworks.fit``."""

    def __init__(self, model: str = "linear", loss: str = "cross_entropy", optimizer: str | None = None) -> None:
        self.model = model
        self.loss = loss
        self.optimizer = optimizer

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> TextClassifier:
        """Train."""
        self.classes_, numbers = np.unique(y, return_inverse=True)
        self.model_: Model = fit(
            zip(X, map(str, numbers), strict=True), model=self.model, loss=self.loss, optimizer=self.optimizer
        )
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Calibrated probabilities [n, classes]."""
        check_is_fitted(self)
        return self.model_.predict_proba(list(X))
