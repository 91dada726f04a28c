"""What a fit of classes in one call begins and ends with, whether their texts are counted or each has a language model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.errors import DataError, UsageError
from ..data import TRAIN, Corpus
from ..inference import Predictor
from .assembling import assemble
from .balancing import check_languages, drawn
from .dataset import Dataset
from .judging import Rows, judge
from .settings import Settings


def rows_to_count(corpora: Sequence[Corpus], fixed: Sequence[int | None], settings: Settings) -> Dataset:
    """Parts and targets; arguments as of ``classifier.fit``.

    Raises:
        UsageError, DataError: there are no classes, or they cannot be told apart by counting their texts.
    """
    check_languages(settings, corpora)
    shares = settings.valid, settings.test
    data = assemble(corpora, fixed, settings.task, None, *shares, settings.seed, balance=settings.balance)
    if not data.task.groups:
        raise UsageError(
            f"{settings.model} tells classes apart, and the task is {data.task.kind}. Use --model linear, or --task lm."
        )
    if data.weight is not None:
        raise UsageError(f"{settings.model} counts texts, and has no use for --weight. Leave it out, or use --model linear.")
    counts = np.array(data.train_counts())
    if not counts.all():
        label = data.task.labels[int(counts.argmin())]
        raise DataError(f"the label {label!r} has no training rows, so nothing is known of its texts.")
    return data


def judged(predictor: Predictor, data: Dataset, test: Rows, seconds: float, *, twice: bool) -> dict[str, Any]:
    """The record of the result; ``test``: the rows to judge by; ``twice``: what is judged has counted validation rows too."""
    ended = {"seconds": seconds, "epochs": None, "best_epoch": None, "stopped": "all texts read"}
    result = judge(predictor, data, test, ended) | drawn(data.balance, data.languages, data.parts, data.rates)
    result["refit_rows"] = int((data.parts == TRAIN).sum()) if twice else None
    return result
