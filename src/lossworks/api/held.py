"""What trained models have in common as a user holds them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import data
from ..core.errors import UsageError
from ..data.options import ReadOptions, read_options
from ..record import Run
from ..tokens.graphemes import composed


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


def form_of(*records: dict[str, Any]) -> str:
    """The form that text is read in for models with these records: composed, where one of them was trained on such text. Runs of
    earlier versions say nothing, and read text as it is.
    """
    return "nfc" if any(record.get("data", {}).get("normalize") == "nfc" for record in records) else "none"


def as_trained(read: ReadOptions | None, *records: dict[str, Any]) -> ReadOptions:
    """The reading asked for; where it does not say which columns are read, how labels in a cell are parted, or which form text is
    read in, as for the models with these ``records``.
    """
    read = read_options(read)
    if not records:
        return read
    given = records[0].get("data", {})
    return replace(
        read,
        as_run=(given.get("text_column"), given.get("label_column")),
        label_sep=given.get("label_sep") if read.label_sep is None else read.label_sep,
        normalize=read.normalize or form_of(*records),
    )


def as_begun(read: ReadOptions | None, out: Path) -> ReadOptions:
    """The reading asked for; where it does not say which form text is read in, as when what is in ``out`` was begun."""
    read, record = read_options(read), Run(out).summary
    return replace(read, normalize=form_of(record)) if read.normalize is None and "data" in record else read


def as_split(read: ReadOptions | None, record: dict[str, Any]) -> ReadOptions:
    """The reading asked for, of the data that the run with this ``record`` was given: its text must be the same, and languages
    are told apart as they were, for their shares are kept where rows are split.
    """
    language = record.get("given", {}).get("language")
    return replace(as_trained(read, record), language=language, normalize=form_of(record))


def several(texts: Sequence[str], *records: dict[str, Any]) -> Sequence[str]:
    """The texts, if they are texts, and several, in the form that models with these ``records`` read; of a data frame those of
    its text column, which the first may name.

    Raises:
        UsageError: they are one text, or not text.
        DataError: a frame has no such column, or a text is missing.
    """
    if data.is_frame(texts):
        read = replace(as_trained(None, *records), unlabelled=True, bad_rows="error", normalize=form_of(*records))
        with closing(data.load(texts, read)) as corpus:
            return [text for block in corpus.blocks() for text in block]
    if isinstance(texts, str):
        raise UsageError(f"got one text, {texts[:40]!r}; wanted a list of texts.")
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise UsageError(f"text number {number + 1} is {text!r}, a {type(text).__name__}; wanted text.")
    return composed(texts)[0] if form_of(*records) == "nfc" else texts


def found_in(read: ReadOptions, column: str | None) -> tuple[str, ...]:
    """What is to be said of the ``column`` that text was read from: where it was found by looking, under another name than where
    the model was trained.

    Args:
        read: what ``as_trained`` gave.
    """
    trained = read.as_run[0]
    if read.text is not None or None in (column, trained) or column == trained:
        return ()
    return (f"text is read from {column!r}, as there is no {trained!r}. --text names another column.",)
