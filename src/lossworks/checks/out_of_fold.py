"""What models say of rows that they were not trained on: the rows in folds, and a model trained without each."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..data import AS_READ, Corpus, load
from ..engine import Callbacks
from ..inference import Predictor
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
    count = int(fold.max()) + 1
    found = [np.full((len(corpus), len(task.labels)) if task.labels else len(corpus), np.nan) for _ in settings]
    for number, (kind, scores) in enumerate(zip(settings, found, strict=True)):
        for left_out in range(count):
            callbacks.watch("fold", {"model": kind.model, "number": number * count + left_out, "of": len(settings) * count})
            rows = np.flatnonzero(fold == left_out)
            model = _trained(corpus, np.flatnonzero(fold != left_out), kind, callbacks, scratch)
            said = model.scores(corpus.texts(rows))
            if task.labels:
                known = np.array([task.labels.index(label) for label in model.task.labels])
                scores[rows[:, None], known] = said
            else:
                scores[rows] = said
    return found


def _trained(corpus: Corpus, rows: NDArray[np.int64], settings: Settings, callbacks: Callbacks, scratch: Path) -> Predictor:
    pairs = zip(corpus.texts(rows), (corpus.labels[row] for row in rows), strict=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder, closing(load(pairs, AS_READ, spill=scratch)) as train:
        fitted = fit_corpora([train], [None], settings, Callbacks(stop=callbacks.stop), scratch=Path(folder))
    assert isinstance(fitted.trained, Predictor)
    return fitted.trained
