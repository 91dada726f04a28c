"""The result of a training, as it is kept."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a training.

    judged: the proper score of the validation rows at the end, by which trials are ranked; infinite where it diverged.
    rows: the metric of each test row, in the order of the data; None in trials, and where it diverged.
    within: of F1, the same of each language by itself, where languages are told apart (``metrics.rows_within``).
    metrics: their means, and those of the other metrics.
    curve: (epoch, seconds, the validation rows' proper score) after each epoch.
    texts: seen in training; of a language model, tokens.        note: why it ended early.
    said: the prediction of each test row, a class index or a number; None for label sets, and where ``rows`` is.
    logp: of a member of a pool, what it says of the validation and the test part: of classes whole distributions, flat, of text
        the log-probability of each token.
    bins: (confidence, accuracy, predictions) of the test rows, after calibration.        f1: of each label.
    """

    judged: float
    rows: NDArray[np.float64] | None
    metrics: dict[str, float]
    curve: list[tuple[float, float, float]]
    seconds: float
    texts: int
    note: str = ""
    said: NDArray[np.float64] | None = None
    logp: NDArray[np.float64] | None = None
    within: NDArray[np.float64] | None = None
    bins: list[tuple[float, float, int]] = field(default_factory=list)
    f1: list[float] = field(default_factory=list)
