"""What models are evaluated on: data that is given, or the rows that their runs were tested on, drawn again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..data import TEST, TRAIN, VALID, Corpus, Languages, Ragged, ReadOptions, load, load_all
from ..data.duplicates import find
from ..data.formats import prepared
from ..data.sources import is_there
from ..inference import KnowledgeGraph, Predictor, TextLanguage
from ..record.scratch import temporary
from ..tasks import LabelTask
from ..training import Settings
from ..training.assembling import assemble
from ..training.dataset import LEFT_OUT, Dataset
from ..training.division import divide
from ..training.replay import check_rows
from ..training.token_parts import in_tokens
from .fit import Source, reading_for
from .graph import Graph
from .held import as_split, as_trained
from .language import Language
from .model import Model

_SPLIT = ("task", "model", "document_unit", "valid", "test", "seed")
"""The settings by which data is read and split."""


def corpus_for(
    models: Mapping[str, Model | Language | Graph], data: Source | None, read: ReadOptions | None, *, shared: bool = False
) -> Corpus:
    """The data; where none is given, the test part of the models' runs, which must be the same rows for all; where ``shared``,
    those rows of the first run's that are among every other's.

    Raises:
        UsageError: the models have no run, their data is not there, or they were tested on other rows.
        DataError: the data cannot be read, or is not that of the record.
    """
    read = as_trained(read, *(model.record for model in models.values()))
    if data is not None:
        return load(prepared.parts(data).get("test", data), read)
    found = {name: _test_part(name, model, read) for name, model in models.items()}
    (first, (rows, languages, places)), *others = found.items()
    for name, (each, *_) in others:
        if each != rows and shared:
            kept = _among(each, rows)
            if not kept:
                raise UsageError(
                    f"{first} and {name} have no test row in common, so they cannot be judged side by side on what was held out "
                    "from both. Give text that neither knows: lossworks evaluate " + " ".join(models) + " DATA"
                )
            rows, places = [rows[row] for row in kept], None if places is None else [places[row] for row in kept]
            languages = None if languages is None else languages.take(np.array(kept))
        elif each != rows:
            raise UsageError(
                f"{first} and {name} were tested on other rows: fit them on the same data with the same --seed, --valid and "
                "--test and --normalize, or give the text to evaluate them on."
            )
    if not rows:
        raise UsageError(f"{first} was tested on no rows. Give the text to evaluate it on.")
    corpus = load(rows, replace(read, language=None))
    corpus.languages, corpus.named = languages, places
    record = models[first].record
    own = record["given"].get("test")
    corpus.source = own if isinstance(own, str) else f"the test part of {record['data']['source']}"
    return corpus


def _among(others: list[Any], rows: list[Any]) -> list[int]:
    """Which of the rows have a text and label that are among others'; a weight is of the training that gave it."""

    def named(row: Any) -> Any:
        return row[:2] if isinstance(row, tuple) else row

    known = set(map(named, others))
    return [number for number, row in enumerate(rows) if named(row) in known]


def sources(
    path: Any, record: dict[str, Any], told: Mapping[str, Source | None], remedy: str
) -> Sequence[tuple[Any, int | None]]:
    """A run's data and, where they were data of their own, its held-out rows: as told now, else as recorded. ``remedy``: what
    gives the data where it is not there.
    """
    found: list[tuple[Any, int | None]] = []
    for name, part in (("data", None), ("valid", VALID), ("test", TEST)):
        recorded, source = record["given"].get(name), told.get(name)
        if part is not None and not isinstance(recorded, str):
            if source is not None:
                raise UsageError(
                    f"the run was not given {name} rows of their own, but drew them from its data. Leave {name} out."
                )
            continue
        if source is None and not (isinstance(recorded, str) and is_there(recorded)):
            way = remedy if part is None else f"--{name} FILE"
            raise UsageError(f"the {name} that {path} was trained with, {recorded!r}, is not here. Give it: {way}.")
        found.append((recorded if source is None else source, part))
    return found


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
    parts = _parts(corpora, fixed, settings, trained)
    assert parts is not None
    taught = np.where(np.isin(parts, _taught(result)), np.uint8(TRAIN), np.uint8(LEFT_OUT))
    known = find([*corpora, tested], np.concatenate([taught, np.full(len(tested), TEST, np.uint8)])).test_rows
    with reopened(name, before, None) as (old, given, split):
        model = before.trained if isinstance(before, Language) else before.predictor
        parts_then = _parts(old, given, split, model)
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
        parts = _parts(corpora, fixed, settings, model.trained if isinstance(model, Language) else model.predictor)
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
        parts = _parts(corpora, fixed, settings, model.trained if isinstance(model, Language) else model.predictor)
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


def _parts(
    corpora: Sequence[Corpus], fixed: Sequence[int | None], settings: Settings, trained: Predictor | TextLanguage | KnowledgeGraph
) -> NDArray[np.uint8] | None:
    """The part of each row; None of one long text."""
    if isinstance(trained, Predictor):
        return _assembled(corpora, fixed, settings, trained.task).parts
    return divide(corpora, fixed, settings).parts


@contextmanager
def reopened(
    name: str,
    model: Model | Language | Graph,
    read: ReadOptions | None,
    told: Mapping[str, Source | None] | None = None,
    remedy: str | None = None,
) -> Iterator[tuple[Sequence[Corpus], list[int | None], Settings]]:
    """The data that a run was given, as its record names it, the part that each was given as, and how it was read and split."""
    record = model.record
    if "data" not in record.get("given", {}) or "fingerprint" not in record.get("data", {}):
        raise UsageError(f"{name} has no record of the data that it was tested on. Give the text to evaluate it on.")
    settings = Settings(**{key: record["config"][key] for key in _SPLIT if record["config"].get(key) is not None})
    given = sources(name, record, told or {}, remedy or f"lossworks evaluate {name} DATA")
    with ExitStack() as stack:
        scratch = stack.enter_context(temporary())
        corpora = stack.enter_context(load_all(given, reading_for(settings, as_split(read, record)), scratch))
        check_rows([corpus.fingerprint for corpus in corpora], record)
        yield corpora, [part for _, part in given], settings


def _assembled(corpora: Sequence[Corpus], fixed: Sequence[int | None], settings: Settings, task: LabelTask) -> Dataset:
    """The rows of a run's data; its ``task`` may know labels of data before."""
    return assemble(corpora, fixed, task.kind, None, settings.valid, settings.test, settings.seed, task=task)


def _test_part(
    name: str, model: Model | Language | Graph, read: ReadOptions
) -> tuple[list[Any], Languages | None, list[str] | None]:
    """The rows that a run was tested on, texts, or texts with their labels and weights; their languages, if it knew any; and of
    labelled rows where each stands.
    """
    told = model.record.get("given", {}).get("language")
    if read.language not in (None, told):
        raise UsageError(
            f"{name} was fitted {'without --language' if told is None else f'with --language {told}'}, and its test rows are "
            "drawn as then. Leave --language out, or give the text to evaluate it on too."
        )
    with reopened(name, model, read) as (corpora, fixed, settings):
        if isinstance(model, Language | Graph):
            division = divide(corpora, fixed, settings)
            texts = [text for block in division.blocks(TEST) for text in block]
            rows = ["".join(texts)] if settings.document_unit == "file" and texts else texts
            return rows, division.languages(TEST), None
        data = _assembled(corpora, fixed, settings, model.predictor.task)
        numbers = np.flatnonzero(data.parts == TEST)
        labels = [label for corpus in corpora for label in corpus.labels]
        weights = [] if data.weight is None else [data.weight[numbers].tolist()]
        texts = [text for _, block in data.blocks(TEST) for text in block]
        languages = None if data.languages is None else data.languages.take(numbers)
        labelled = list(zip(texts, [labels[row] for row in numbers], *weights, strict=True))
        return labelled, languages, [data.place(row) for row in numbers.tolist()]
