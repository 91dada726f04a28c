"""What models are evaluated on: data that is given, or the rows that their runs were tested on, drawn again."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import UsageError
from ..data import TEST, VALID, Corpus, ReadOptions, load, load_all
from ..training import Settings
from ..training.dataset import assemble
from ..training.replay import check_rows
from ..training.token_parts import divide
from .fit import Source, reading_for
from .held import with_label_sep
from .language import Language
from .model import Model

_SPLIT = ("task", "model", "document_unit", "valid", "test", "seed")
"""The settings by which data is read and split."""


def corpus_for(models: Mapping[str, Model | Language], data: Source | None, read: ReadOptions | None) -> Corpus:
    """The data; where none is given, the test part of the models' runs, which must be the same rows for all.

    Raises:
        UsageError: the models have no run, their data is not there, or they were tested on other rows.
        DataError: the data cannot be read, or is not that of the record.
    """
    read = with_label_sep(read, next(iter(models.values())).record)
    if data is not None:
        return load(data, read)
    found = {name: _test_part(name, model, read) for name, model in models.items()}
    (first, rows), *others = found.items()
    for name, each in others:
        if each != rows:
            raise UsageError(
                f"{first} and {name} were tested on other rows: fit them on the same data with the same --seed, --valid and "
                "--test, or give the text to evaluate them on."
            )
    if not rows:
        raise UsageError(f"{first} was tested on no rows. Give the text to evaluate it on.")
    corpus = load(rows, read)
    corpus.source = f"the test part of {models[first].record['data']['source']}"
    return corpus


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
        if source is None and not (isinstance(recorded, str) and Path(recorded).exists()):
            way = remedy if part is None else f"--{name} FILE"
            raise UsageError(f"the {name} that {path} was trained with, {recorded!r}, is not here. Give it: {way}.")
        found.append((recorded if source is None else source, part))
    return found


def _test_part(name: str, model: Model | Language, read: ReadOptions) -> list[Any]:
    """The rows that a run was tested on: texts, or texts with their labels and weights."""
    record = model.record
    if "given" not in record or "fingerprint" not in record.get("data", {}):
        raise UsageError(f"{name} has no record of the data that it was tested on. Give the text to evaluate it on.")
    settings = Settings(**{key: record["config"][key] for key in _SPLIT if record["config"].get(key) is not None})
    given = sources(name, record, {}, f"lossworks evaluate {name} DATA")
    fixed = [part for _, part in given]
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lossworks-")))
        corpora = stack.enter_context(load_all(given, reading_for(settings, read), scratch))
        check_rows([corpus.fingerprint for corpus in corpora], record)
        if isinstance(model, Language):
            texts = [text for block in divide(corpora, fixed, settings).blocks(TEST) for text in block]
            return ["".join(texts)] if settings.document_unit == "file" and texts else texts
        data = assemble(corpora, fixed, settings.task, None, settings.valid, settings.test, settings.seed)
        numbers = np.flatnonzero(data.parts == TEST)
        labels = [label for corpus in corpora for label in corpus.labels]
        weights = [] if data.weight is None else [data.weight[numbers].tolist()]
        texts = [text for _, block in data.blocks(TEST) for text in block]
        return list(zip(texts, [labels[row] for row in numbers], *weights, strict=True))
