"""The rows to read first: where the model was most confident and wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .evaluation import Evaluation
from .intervals import Ints


def mistakes(evaluation: Evaluation, target: NDArray[Any], limit: int = 20) -> Ints:
    """Up to ``limit`` rows that ``evaluation`` got wrong against ``target``, the most confident first.

    For numbers every row with an error counts, the largest error first. Ties stay in row order.
    """
    wrong = evaluation.predicted != np.asarray(target)
    rows = np.flatnonzero(wrong.any(1) if wrong.ndim == 2 else wrong)
    return np.asarray(rows[np.argsort(-evaluation.confidence[rows], kind="stable")][:limit])
