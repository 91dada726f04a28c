"""The rows and texts that a model was trained on, and which others stand among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DataError, RecordError, UsageError
from ..data import TEST, TRAIN, VALID, Corpus, Ragged, ReadOptions
from ..data.duplicates import find
from ..inference import KnowledgeGraph, Predictor, TextLanguage
from ..training import Settings
from ..training.dataset import LEFT_OUT
from ..training.division import divide
from ..training.token_parts import in_tokens
from .language import Language
from .model import Model
from .reading import Source
from .run_data import learned_by, parts_of, reopened

MOST_ROWS = 100_000
"""Rows up to which a run's training data is read again to look for those that it is evaluated on."""


def seen_of(model: Model | Language, corpus: Corpus, given: bool) -> dict[str, Any]:
    """``trained_on``: whether the corpus is, row for row, what the model was given to train on; and ``known``: how many of its
    rows stand, word for word, among those that it was trained on. That is None where they are not to be read: more than
    ``MOST_ROWS``, one long text, or data that is not there, or has changed; or where nothing was ``given`` but the test part.
    """
    data = model.record.get("data", {})
    if model.was_trained_on(corpus.fingerprint):
        return {"trained_on": True, "known": None}
    few = 0 < data.get("rows", 0) <= MOST_ROWS
    return {"trained_on": False, "known": _known(model, corpus) if given and few else None}


def _known(model: Model | Language, corpus: Corpus) -> int | None:
    try:
        with reopened(str(model.path), model, None) as (corpora, fixed, settings):
            parts = parts_of(corpora, fixed, settings, learned_by(model))
            if parts is None:
                return None
            taught = np.concatenate([each.keys for each in corpora])[_trained(model, parts)]
            return int(np.isin(corpus.keys, taught).sum())
    except (UsageError, DataError, RecordError):
        return None


def doubles(
    name: str,
    before: Model | Language,
    tested: Corpus,
    corpora: Sequence[Corpus],
    fixed: Sequence[int | None],
    settings: Settings,
    trained: Predictor | TextLanguage | KnowledgeGraph,
    result: Mapping[str, Any],
) -> tuple[NDArray[np.int64], int]:
    """Of a training that went on from the run ``name`` with other ``corpora``: which of the run's ``tested`` rows stand in its
    training part, and how many rows of its test part the run had been trained on, word for word or nearly.

    Raises:
        UsageError, DataError: the run's training data is not there, or no longer the same.
    """
    parts = parts_of(corpora, fixed, settings, trained)
    assert parts is not None
    taught = np.where(np.isin(parts, _taught(result)), np.uint8(TRAIN), np.uint8(LEFT_OUT))
    known = find([*corpora, tested], np.concatenate([taught, np.full(len(tested), TEST, np.uint8)])).test_rows
    with reopened(name, before, None) as (old, given, split):
        parts_then = parts_of(old, given, split, learned_by(before))
        assert parts_then is not None
        then = np.isin(parts_then, _taught(before.record["result"]))
        both = [np.where(then, np.uint8(TRAIN), np.uint8(LEFT_OUT)), np.where(parts == TEST, np.uint8(TEST), np.uint8(LEFT_OUT))]
        return known, len(find([*old, *corpora], np.concatenate(both)).test_rows)


def like_training(name: str, model: Model | Language, corpus: Corpus, read: ReadOptions | None) -> NDArray[np.int64]:
    """The rows of ``corpus`` whose text stands, word for word or nearly, among the texts that the model was trained on.

    Raises:
        UsageError, DataError: its training data is not there, or no longer the same.
    """
    with reopened(name, model, read) as (corpora, fixed, settings):
        parts = parts_of(corpora, fixed, settings, learned_by(model))
        if parts is None:
            raise UsageError(f"{name} was trained on one long text, which has no rows to be like.")
        parts = np.concatenate(
            [np.where(_trained(model, parts), np.uint8(TRAIN), np.uint8(VALID)), np.full(len(corpus), TEST, np.uint8)]
        )
        return find([*corpora, corpus], parts).test_rows


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """The rows that a run's model was last trained on: texts, labels (None: there are none), and where each stands."""

    texts: list[str]
    labels: list[Any]
    places: Sequence[tuple[Corpus, int]]

    @classmethod
    def of(cls, corpora: Sequence[Corpus], chosen: NDArray[np.bool_]) -> TrainingRows:
        """Those that are ``chosen`` of all rows of the corpora."""
        rows = np.flatnonzero(chosen)
        places = [(corpus, within) for corpus in corpora for within in range(len(corpus))]
        labels = [label for corpus in corpora for label in corpus.labels]
        texts = [text for corpus in corpora for block in corpus.blocks() for text in block]
        return cls([texts[row] for row in rows], [labels[row] for row in rows], [places[row] for row in rows])

    def place(self, row: int) -> str:
        """Where a row stands, in words."""
        corpus, within = self.places[row]
        return corpus.place(within)


@contextmanager
def training_rows(
    name: str, model: Model | Language, read: ReadOptions | None, given: Mapping[str, Source | None], remedy: str
) -> Iterator[TrainingRows]:
    """The rows that a run was last trained on. ``given``: "data", "valid" and "test" that are not where the record says;
    ``remedy``: the command that gives the data.

    Raises:
        UsageError, DataError: they are not there, or no longer the same; they are one long text.
    """
    with reopened(name, model, read, given, remedy) as (corpora, fixed, settings):
        parts = parts_of(corpora, fixed, settings, learned_by(model))
        if parts is None:
            raise UsageError(f"{name} was trained on one long text, which has no rows.")
        yield TrainingRows.of(corpora, _trained(model, parts))


def training_texts(name: str, model: Language, scratch: Path) -> Ragged:
    """What a language model was trained on, in its tokens, in a file in ``scratch``.

    Raises:
        UsageError, DataError: it is not there, or no longer the same.
    """
    with reopened(name, model, None) as (corpora, fixed, settings):
        blocks = partial(divide(corpora, fixed, settings).blocks, TRAIN)
        return in_tokens(blocks, model.tokenizer, scratch, "remembered", whole=settings.document_unit == "file").texts


def _trained(model: Model | Language, parts: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which rows the model was last trained on."""
    return np.isin(parts, _taught(model.record["result"]))


def _taught(result: Mapping[str, Any]) -> tuple[int, ...]:
    """The parts that a model with this result was last trained on."""
    return (TRAIN, VALID) if result.get("refit_rows") else (TRAIN,)
