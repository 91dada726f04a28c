"""A trained classifier or regression as a user holds it, from ``fit`` or from a run directory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from .held import Held, several
from .predicted import Written, least_of, write_predictions

if TYPE_CHECKING:
    from ..attribution import Explanation
    from ..data import ReadOptions
    from ..inference import Predictor


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

    def predict(self, texts: Sequence[str], threshold: float | Mapping[Any, float] | None = None) -> list[Any]:
        """A label (classify), a tuple of labels (multilabel) or a number (regress) for each text.

        Args:
            texts: raw texts.
            threshold: a probability for all labels, or {label: probability} for some, in the place of the model's own thresholds.
                A set of labels holds those that reach it. A class is answered where it reaches its threshold, the most probable
                of several; else the most probable of the classes that have none; else None, as with one number for all.

        Raises:
            UsageError: the model has no such label, or predicts numbers.
        """
        if threshold is None:
            return self.predictor.predict(several(texts, self.record))
        return self.predictor.decide(self.predict_proba(texts), least_of(self, threshold))

    def predict_file(
        self,
        data: str | os.PathLike[str] | Iterable[Any],
        out: Path | str,
        *,
        keep: Sequence[str | int] | None = None,
        top: int | None = None,
        threshold: float | Mapping[Any, float] | None = None,
        read: ReadOptions | None = None,
    ) -> Written:
        """Answer for all texts of ``data`` and write them to ``out``, beside columns of the input, as ``write_predictions``."""
        return write_predictions(self, [data], out, read, keep=keep, top=top, threshold=threshold)

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Calibrated probabilities [texts, labels].

        Raises:
            UsageError: the model predicts numbers.
        """
        if not self.predictor.task.has_probabilities:
            raise UsageError("predict_proba: this model predicts numbers, not labels. Use predict.")
        return self.predictor.predict_proba(several(texts, self.record))

    def explain(
        self,
        texts: Sequence[str],
        *,
        quantity: str | None = None,
        label: Any = None,
        against: Any = None,
        by: str = "word",
        method: str = "auto",
        trial: bool = True,
        seed: int = 0,
    ) -> list[Explanation]:
        """Why the model answers as it does: for each text a quantity, divided among the parts of the text.

        Args:
            texts: raw texts.
            quantity: "logit" (in nats), "probability", "surprisal" (-log p, in nats), of numbers "value", or the spec of any loss
                that fits the task. None: the logit, of numbers the value. All are of calibrated answers.
            label: the label explained, and of a loss what is true (a label, several, or a number); None: the model's answer.
            against: the label whose logit is subtracted; None: the other one, of several the mean of the others.
            by: what a text is divided into: "word", "char", or the model's own "token".
            method: how shares are found, of those that the family has; "auto": the best of them.
            trial: whether to try if the shares may be believed, which takes some more readings of each text.
            seed: of what is random in the trial.

        Returns: an ``Explanation`` for each text: ``value``, ``baseline``, ``shares`` of the parts, ``residual``, ``trial``.

        Raises:
            UsageError: an argument does not fit the model; a text has too many parts for the method.
        """
        from ..attribution.explaining import explain_labels

        return explain_labels(
            self.predictor,
            several(texts, self.record),
            quantity=quantity,
            label=label,
            against=against,
            by=by,
            method=method,
            trial=trial,
            seed=seed,
        )

    def __repr__(self) -> str:
        return f"Model(task={self.predictor.task.kind!r}, labels={self.labels!r}, path={str(self.path) if self.path else None!r})"
