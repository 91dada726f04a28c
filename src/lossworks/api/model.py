"""A trained model of labels as a user holds it, from ``fit`` or from a run directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..inference import GenerativePredictor, Predictor


@dataclass(slots=True)
class Model:
    """Predicts from raw text. ``record`` is what the run's ``run.json`` says; ``path`` is its directory, if it has one."""

    predictor: Predictor
    record: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the columns of ``predict_proba``."""
        return self.predictor.task.labels

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Figures on the held-out test rows, each ``{"value", "low", "high"}``; empty where nothing was held out."""
        metrics: dict[str, dict[str, float]] = self.record.get("result", {}).get("metrics", {})
        return metrics

    def predict(self, texts: Sequence[str]) -> list[Any]:
        """A label (classify), a tuple of labels (multilabel) or a number (regress) for each text."""
        return self.predictor.predict(several(texts))

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Calibrated probabilities [texts, labels].

        Raises:
            UsageError: the model predicts numbers.
        """
        if self.predictor.task.kind == "regress":
            raise UsageError("predict_proba: this model predicts numbers, not labels. Use predict.")
        return self.predictor.predict_proba(several(texts))

    def explain(self, text: str) -> list[dict[str, Any]]:
        """For each token of a text what it speaks for: by label, log p(token | label) less its mean over the labels. With the log
        of the labels' shares these add up to the logits, but for a constant.

        Raises:
            UsageError: the labels are told by a network, which has no tokens to explain by.
        """
        if not isinstance(self.predictor, GenerativePredictor):
            raise UsageError("explain: only models of language tell what each token says. Fit one: --model ngram:order=3.")
        (text,) = several([text])
        tokens, logp = self.predictor.explain(text)
        with np.errstate(invalid="ignore"):
            away = logp - logp.mean(1, keepdims=True)
        rows = zip(tokens, away, strict=True)
        return [{"token": token, "evidence": dict(zip(self.labels, map(float, row), strict=True))} for token, row in rows]

    def __repr__(self) -> str:
        return f"Model(task={self.predictor.task.kind!r}, labels={self.labels!r}, path={str(self.path) if self.path else None!r})"


def several(texts: Sequence[str]) -> Sequence[str]:
    """The texts, if they are texts, and several.

    Raises:
        UsageError: they are one text, or not text.
    """
    if isinstance(texts, str):
        raise UsageError(f"got one text, {texts[:40]!r}; wanted a list of texts.")
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise UsageError(f"text number {number + 1} is {text!r}, a {type(text).__name__}; wanted text.")
    return texts
