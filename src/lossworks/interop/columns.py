"""A column of texts from a list, a NumPy array, or a pandas or polars Series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any

from ..core.errors import DataError, UsageError
from ..data.labels import described

_ONE_COLUMN = "wanted a column of texts: a list, a 1-D array or a Series"


def texts_of(X: Any, *, may_be_empty: bool) -> list[str]:
    """``X`` as a list of Python strings. Blank texts are allowed for prediction, but not for training.

    Raises:
        UsageError: ``X`` is not a column of texts.
        DataError: a row is missing or not text; names the row, counted from 0.
    """
    shape = getattr(X, "shape", None)
    if shape is not None and len(shape) != 1:
        remedy = "Give only its column of texts, such as X[:, 0] or frame['text']."
        raise UsageError(f"X has {len(shape)} dimensions, shape {tuple(shape)}; {_ONE_COLUMN}. {remedy}")
    if isinstance(X, str):
        raise UsageError(f"X is the single text {described(X)}; {_ONE_COLUMN}. Give [text] for a single text.")
    if isinstance(X, bytes | Mapping | Set) or not isinstance(X, Iterable):
        raise UsageError(f"X is {described(X)}; {_ONE_COLUMN}.")
    texts = X.tolist() if hasattr(X, "tolist") else list(X)
    if set(map(type, texts)) - {str}:
        texts = [_text(text, row) for row, text in enumerate(texts)]
    if not may_be_empty:
        for row, text in enumerate(texts):
            if not text or text.isspace():
                raise DataError(f"X[{row}] is empty, and cannot be used for training. Remove such rows and their y.")
    return texts


def _text(value: Any, row: int) -> str:
    if isinstance(value, str):  # numpy.str_
        return str(value)
    remedy = "Decode bytes first." if isinstance(value, bytes) else "Fill missing texts, or remove such rows and their y."
    raise DataError(f"X[{row}] is {described(value)}; wanted text. {remedy}")
