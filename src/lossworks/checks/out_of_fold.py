"""What models say of rows that they were not trained on: the rows in folds, and a model trained without each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..data import AS_READ, Corpus, load
from ..engine import Callbacks
from ..inference import Predictor
from ..record.scratch import temporary
from ..tasks import LabelTask
from ..training import Settings, fit_corpora


def out_of_fold(
    corpus: Corpus, task: LabelTask, fold: NDArray[np.uint8], settings: Sequence[Settings], callbacks: Callbacks, scratch: Path
) -> list[NDArray[np.float64]]:
    """Each row's logits [N, labels], or predicted numbers [N], by models that were trained on the other folds.

    Args:
        corpus: the rows.
        task: of the whole corpus, with all of its labels.
        fold: of each row.
        settings: of each kind of model; all the rows it is given are trained or validated on.
        callbacks: told of every training as ("fold", {"model", "number", "of"}).
        scratch: a folder for temporary files.

    Returns:
        An array for each of ``settings``, NaN where a label stands in no other fold, so that the model does not know it.
    """
    found = [np.full((len(corpus), len(task.labels)) if task.labels else len(corpus), np.nan) for _ in settings]
    for number, (kind, scores) in enumerate(zip(settings, found, strict=True)):
        for rows, model in without_each(corpus, fold, kind, callbacks, scratch, number, len(settings)):
            said = model.scores(corpus.texts(rows))
            if task.labels:
                known = np.array([task.labels.index(label) for label in model.task.labels])
                scores[rows[:, None], known] = said
            else:
                scores[rows] = said
    return found


def without_each(
    corpus: Corpus, fold: NDArray[np.uint8], settings: Settings, callbacks: Callbacks, scratch: Path, number: int = 0, of: int = 1
) -> Iterator[tuple[NDArray[np.int64], Predictor]]:
    """The rows of each fold, and a model trained on the others; arguments as of ``out_of_fold``, which is told of as the
    ``number``th kind of ``of``.
    """
    count = int(fold.max()) + 1
    for left_out in range(count):
        callbacks.watch("fold", {"model": settings.model, "number": number * count + left_out, "of": of * count})
        model = _trained(corpus, np.flatnonzero(fold != left_out), settings, callbacks, scratch)
        yield np.flatnonzero(fold == left_out), model


def _trained(corpus: Corpus, rows: NDArray[np.int64], settings: Settings, callbacks: Callbacks, scratch: Path) -> Predictor:
    columns = {"text": corpus.texts(rows), "label": [corpus.labels[row] for row in rows]}
    if corpus.weights is not None:
        columns["weight"] = corpus.weights[rows].tolist()
    if corpus.languages is not None:
        columns["language"] = [corpus.languages.names[number] for number in corpus.languages.of_row[rows]]
    pairs = (dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True))
    weight, language = (name if name in columns else None for name in ("weight", "language"))
    read = replace(AS_READ, text="text", label="label", weight=weight, language=language)
    with temporary(scratch) as folder, closing(load(pairs, read, spill=scratch)) as train:
        fitted = fit_corpora([train], [None], settings, Callbacks(stop=callbacks.stop), scratch=folder)
    assert isinstance(fitted.trained, Predictor)
    return fitted.trained
