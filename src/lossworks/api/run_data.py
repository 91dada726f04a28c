"""The data that a run was given, opened again as its record names it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..data import TEST, VALID, Corpus, ReadOptions, load_all
from ..data.sources import is_there
from ..inference import KnowledgeGraph, Predictor, TextLanguage
from ..record.scratch import temporary
from ..tasks import LabelTask
from ..training import Settings
from ..training.assembling import assemble
from ..training.dataset import Dataset
from ..training.division import divide
from ..training.replay import check_rows
from .graph import Graph
from .held import as_split
from .language import Language
from .model import Model
from .reading import Source, reading_for

_SPLIT = ("task", "model", "document_unit", "valid", "test", "seed")
"""The settings by which data is read and split."""


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


def learned_by(model: Model | Language) -> Predictor | TextLanguage:
    """What answers for a model, without its record."""
    return model.trained if isinstance(model, Language) else model.predictor


def parts_of(
    corpora: Sequence[Corpus], fixed: Sequence[int | None], settings: Settings, trained: Predictor | TextLanguage | KnowledgeGraph
) -> NDArray[np.uint8] | None:
    """The part of each row; None of one long text."""
    if isinstance(trained, Predictor):
        return assembled(corpora, fixed, settings, trained.task).parts
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


def assembled(corpora: Sequence[Corpus], fixed: Sequence[int | None], settings: Settings, task: LabelTask) -> Dataset:
    """The rows of a run's data; its ``task`` may know labels of data before."""
    return assemble(corpora, fixed, task.kind, None, settings.valid, settings.test, settings.seed, task=task)
