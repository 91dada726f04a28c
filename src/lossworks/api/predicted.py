"""What a model answers of many texts: as plain values, and written to a file beside columns of the input."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import data
from ..core import values
from ..core.errors import UnknownName, UsageError
from ..core.memory import rows_at_once
from ..data.labels import SEPARATORS
from ..data.options import ReadOptions
from ..record.rows import check_format, write_rows
from ..tokens.graphemes import composed_note
from .graph import Graph
from .held import as_trained, found_in

if TYPE_CHECKING:
    from .model import Model

TOP = 10
"""Answers to a query of a knowledge graph, where nothing is said."""
Threshold = float | Mapping[Any, float]


@dataclass(frozen=True, slots=True)
class Written:
    """What was written to ``path``: how many ``rows``, their ``columns``, how many texts got no class because none reached its
    ``threshold`` (None without one), how many bad rows were left out; and, in words, where the texts were found and what was
    changed in them.
    """

    path: Path
    rows: int
    columns: tuple[str, ...]
    unanswered: int | None
    skipped: int
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The same in plain values."""
        told = {"out": str(self.path), "rows": self.rows, "columns": list(self.columns), "skipped": self.skipped}
        return told if self.unanswered is None else {**told, "unanswered": self.unanswered}


def least_of(model: Model, threshold: Threshold | None) -> dict[str, float] | None:
    """The probability from which each label is answered, by its name; ``threshold``: one number for all, or some labels' own.

    Raises:
        UsageError: the model has no such label, or the number is no probability.
    """
    if threshold is None:
        return None
    names = model.predictor.task.labels
    known = {**dict(zip(names, names, strict=True)), **dict(zip(model.labels, names, strict=True))}
    asked: Mapping[Any, Any] = threshold if isinstance(threshold, Mapping) else dict.fromkeys(names, threshold)
    for label, least in asked.items():
        if label not in known:
            raise UnknownName("label", str(label), names)
        if isinstance(least, bool) or not isinstance(least, int | float) or not 0 <= least <= 1:
            raise UsageError(f"the threshold is {least!r}; wanted a probability, 0 to 1, or LABEL=0.9 for one label.")
    return {known[label]: float(least) for label, least in asked.items()}


def answers(
    model: Model,
    texts: Sequence[str],
    *,
    top: int | None = None,
    threshold: Threshold | None = None,
    every: bool = True,
) -> Iterator[dict[str, Any]]:
    """What is said of each text: ``label``, ``probability`` and ``probabilities``; of sets ``labels``, of numbers ``value``.

    Args:
        model: the model.
        texts: raw texts.
        top: ``probabilities`` holds so many of the most probable labels; None: all, in the order of ``model.labels``.
        threshold: the probability from which a label is answered, for all labels or for some, as in ``Model.predict``.
        every: without ``top``, ``probabilities`` holds all labels, not those of the answer alone.

    Raises:
        UsageError: the model has no probabilities, or no such label.
    """
    check_answering(model, top, threshold)
    size = rows_at_once(len(model.labels), max(len(texts), 1))
    for some in (texts[start : start + size] for start in range(0, len(texts), size)):
        yield from told(model, some, asked(model, some), top=top, threshold=threshold, every=every)


def check_answering(model: Model, top: int | None, threshold: Threshold | None) -> None:
    """Raise UsageError where ``answers`` would."""
    values.whole("top", top, least=1)
    if not model.predictor.task.has_probabilities and (top is not None or threshold is not None):
        flag = "--threshold" if top is None else "--top"
        raise UsageError(f"{flag} is for labels, and this model predicts numbers. Leave it out.")
    least_of(model, threshold)


def asked(model: Model, texts: Sequence[str]) -> NDArray[np.float64]:
    """Probabilities [texts, labels], or numbers [texts]: what ``told`` puts into words."""
    return model.predict_proba(texts) if model.predictor.task.has_probabilities else np.array(model.predict(texts))


def told(
    model: Model,
    texts: Sequence[str],
    found: NDArray[np.float64],
    *,
    top: int | None = None,
    threshold: Threshold | None = None,
    every: bool = True,
) -> Iterator[dict[str, Any]]:
    """What ``answers`` says of texts of which this was ``found``."""
    if not model.predictor.task.has_probabilities:
        yield from ({"text": text, "value": value} for text, value in zip(texts, found.tolist(), strict=True))
        return
    labels = model.labels
    for text, label, row in zip(texts, model.predictor.decide(found, least_of(model, threshold)), found, strict=True):
        places = range(len(labels)) if top is None else np.argsort(-row, kind="stable")[:top].tolist()
        named = {labels[place]: float(row[place]) for place in places}
        if top is None and not every:
            named = {each: named[each] for each in (label if isinstance(label, tuple) else (label,)) if each is not None}
        if isinstance(label, tuple):
            yield {"text": text, "labels": list(label), "probabilities": named}
        else:
            best = float(row.max() if label is None else row[labels.index(label)])
            yield {"text": text, "label": label, "probability": best, "probabilities": named}


def write_predictions(
    model: Model | Graph,
    sources: Iterable[str | os.PathLike[str] | Iterable[Any]],
    out: Path | str,
    read: ReadOptions | None = None,
    *,
    keep: Sequence[str | int] | None = None,
    top: int | None = None,
    threshold: Threshold | None = None,
) -> Written:
    """Answer for all texts of ``sources`` and write a row for each to ``out``: all of them, or no file. Texts are read, answered
    for and written a block at a time. Of a knowledge graph a row is one of the ``top`` answers to a query.

    Args:
        model: a classifier, a regression or a model of a knowledge graph.
        sources: files, folders or Python rows, as ``load`` takes each.
        out: ends in .csv, .jsonl or .parquet.
        read: which columns to read and how.
        keep: columns of the input that stand before the answers; None: all (of JSON lines those that the first 100 have).
        top, threshold: as of ``answers``. With ``top`` there are columns label_1, probability_1, label_2, …; without it one of
            probabilities for each label, called "probability", a colon and the label.

    Raises:
        DataError: a source cannot be read; its columns are not those of the first, or are called as those of answers.
        UsageError: an argument does not fit the model. RecordError: the file cannot be written.
    """
    path = Path(out)
    check_format(path)
    read = replace(as_trained(read, model.record), unlabelled=True, keep="all" if keep is None else tuple(keep))
    table = _Table(model, read, top, threshold)
    mark = read.label_sep if read.label_sep in SEPARATORS else ";"
    write_rows(path, table.rows(sources), mark=mark)
    unanswered = None if threshold is None else table.unanswered
    notes = (*table.found, *composed_note(table.composed, table.texts))
    return Written(path, table.count, table.columns, unanswered, table.skipped, notes)


class _Table:
    """The rows as they are made, and what is counted on the way."""

    def __init__(self, model: Model | Graph, read: ReadOptions, top: int | None, threshold: Threshold | None) -> None:
        self.model, self.read, self.top, self.threshold = model, read, top, threshold
        self.columns: tuple[str, ...] = ()
        self.found: dict[str, None] = {}
        self.count = self.texts = self.unanswered = self.skipped = self.composed = 0

    def rows(self, sources: Iterable[Any]) -> Iterator[dict[str, Any]]:
        first: tuple[str, tuple[str, ...]] | None = None
        for source in sources:
            with data.stream(source, self.read) as found:
                first = first or (found.source, found.names)
                self.found |= dict.fromkeys(found_in(self.read, found.text_column))
                if found.names != first[1]:
                    there, own = ", ".join(first[1]), ", ".join(found.names)
                    raise UsageError(
                        f"{first[0]} has the columns {there}, and {found.source} has {own}. "
                        "Name those to keep that all have: --keep."
                    )
                for block in found.blocks():
                    kept = (dict(zip(found.names, cells, strict=True)) for cells in zip(*block.kept, strict=True))
                    yield from self._beside(kept, block.texts)
                self.skipped, self.composed = self.skipped + found.skipped, self.composed + found.composed

    def _beside(self, kept: Iterator[dict[str, Any]], texts: list[str]) -> Iterator[dict[str, Any]]:
        self.texts += len(texts)
        for beside, said in zip(kept, self._answers(texts), strict=True):
            for row in said:
                if twice := beside.keys() & row.keys():
                    raise UsageError(
                        f"the input has a column {min(twice)!r}, as the answers have. "
                        "Name the columns to keep without it: --keep."
                    )
                made = {**beside, **row}
                self.columns = self.columns or tuple(made)
                self.count += 1
                yield made

    def _answers(self, texts: list[str]) -> Iterator[list[dict[str, Any]]]:
        """The rows of each text."""
        if isinstance(self.model, Graph):
            for found in self.model.predict(texts, TOP if self.top is None else self.top):
                yield [{"rank": rank, **answer} for rank, answer in enumerate(found, 1)]
            return
        for said in answers(self.model, texts, top=self.top, threshold=self.threshold):
            self.unanswered += said.get("label", "") is None
            yield [self._flat(said)]

    def _flat(self, said: dict[str, Any]) -> dict[str, Any]:
        if "value" in said:
            return {"predicted": float(said["value"])}
        columns: dict[str, Any] = {"predicted": said.get("label")}
        if "labels" in said:
            columns["predicted"] = tuple(said["labels"])
        else:
            columns["probability"] = said["probability"]
        for rank, (label, chance) in enumerate(said["probabilities"].items(), 1):
            if self.top is None:
                columns[f"probability:{label}"] = chance
            else:
                columns[f"label_{rank}"], columns[f"probability_{rank}"] = label, chance
        return columns
