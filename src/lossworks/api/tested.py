"""What models are evaluated on: data that is given, or the rows that their runs were tested on, drawn again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.errors import UsageError
from ..data import TEST, Corpus, Languages, ReadOptions, load
from ..data.formats import prepared
from ..training.division import divide
from .graph import Graph
from .held import as_trained
from .language import Language
from .model import Model
from .reading import Source
from .run_data import assembled, reopened


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
        data = assembled(corpora, fixed, settings, model.predictor.task)
        numbers = np.flatnonzero(data.parts == TEST)
        labels = [label for corpus in corpora for label in corpus.labels]
        weights = [] if data.weight is None else [data.weight[numbers].tolist()]
        texts = [text for _, block in data.blocks(TEST) for text in block]
        languages = None if data.languages is None else data.languages.take(numbers)
        labelled = list(zip(texts, [labels[row] for row in numbers], *weights, strict=True))
        return labelled, languages, [data.place(row) for row in numbers.tolist()]
