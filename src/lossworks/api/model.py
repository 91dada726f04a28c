"""A trained classifier or regression as a user holds it, from ``fit`` or from a run directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..inference import GenerativePredictor, Predictor
from .held import Held, several


@dataclass(slots=True)
class Model(Held):
    """Predicts from raw text."""

    predictor: Predictor
    record: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @property
    def labels(self) -> tuple[Any, ...]:
        """The labels as they were given, in the order of the columns of ``predict_proba``."""
        return tuple(self.predictor.task.original(self.predictor.task.labels))

    def predict(self, texts: Sequence[str]) -> list[Any]:
        """A label (classify), a tuple of labels (multilabel) or a number (regress) for each text."""
        return self.predictor.predict(several(texts, self.record))

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Calibrated probabilities [texts, labels].

        Raises:
            UsageError: the model predicts numbers.
        """
        if not self.predictor.task.has_probabilities:
            raise UsageError("predict_proba: this model predicts numbers, not labels. Use predict.")
        return self.predictor.predict_proba(several(texts, self.record))

    def explain(self, text: str) -> list[dict[str, Any]]:
        """For each token of a text the evidence: by label, log p(token | label) less its mean over the labels. With the log of
        the labels' shares these add up to the logits, but for a constant.

        Raises:
            UsageError: the model is a network over features, which has no tokens to explain by.
        """
        if not isinstance(self.predictor, GenerativePredictor):
            raise UsageError("explain: only language models tell what each token says. Fit one: --model ngram:order=3.")
        (text,) = several([text])
        tokens, logp = self.predictor.explain(text)
        with np.errstate(invalid="ignore"):
            away = logp - logp.mean(1, keepdims=True)
        rows = zip(tokens, away, strict=True)
        return [{"token": token, "evidence": dict(zip(self.labels, map(float, row), strict=True))} for token, row in rows]

    def __repr__(self) -> str:
        return f"Model(task={self.predictor.task.kind!r}, labels={self.labels!r}, path={str(self.path) if self.path else None!r})"
