"""What trained models have in common as a user holds them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.errors import UsageError
from ..data import ReadOptions, is_frame, load


class Held:
    """A trained model. ``record`` is what the run's ``run.json`` says; ``path`` is its directory, if it has one."""

    __slots__ = ()

    record: dict[str, Any]
    path: Path | None

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Metrics of the held-out test part, each ``{"value", "low", "high"}``; empty where nothing was held out."""
        metrics: dict[str, dict[str, float]] = self.record.get("result", {}).get("metrics", {})
        return metrics

    def was_trained_on(self, fingerprint: str) -> bool:
        """Whether the data with this fingerprint is, row for row, what ``fit`` was given to train or to validate on: its metrics
        then flatter the model.
        """
        known = str(self.record.get("data", {}).get("fingerprint", "")).split("+")  # of the data, then of held-out parts given
        return fingerprint in known[: 1 + isinstance(self.record.get("given", {}).get("valid"), str)]


def with_label_sep(read: ReadOptions | None, record: dict[str, Any]) -> ReadOptions:
    """The reading asked for, which parts labels in a cell as for the model with this ``record`` where it does not say how."""
    read = read or ReadOptions()
    return replace(read, label_sep=record.get("data", {}).get("label_sep")) if read.label_sep is None else read


def as_split(read: ReadOptions | None, record: dict[str, Any]) -> ReadOptions:
    """The reading asked for, of the data that the run with this ``record`` was given: languages too are told apart as they were,
    for their shares are kept where rows are split.
    """
    return replace(with_label_sep(read, record), language=record.get("given", {}).get("language"))


def several(texts: Sequence[str], record: dict[str, Any] | None = None) -> Sequence[str]:
    """The texts, if they are texts, and several; of a data frame those of its text column, which ``record`` may name.

    Raises:
        UsageError: they are one text, or not text.
        DataError: a frame has no such column, or a text is missing.
    """
    if is_frame(texts):
        column = (record or {}).get("data", {}).get("text_column")
        with closing(load(texts, ReadOptions(text=column, unlabelled=True))) as corpus:
            return [text for block in corpus.blocks() for text in block]
    if isinstance(texts, str):
        raise UsageError(f"got one text, {texts[:40]!r}; wanted a list of texts.")
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise UsageError(f"text number {number + 1} is {text!r}, a {type(text).__name__}; wanted text.")
    return texts
