"""``evaluate``: a trained model's figures on other text."""

from __future__ import annotations

import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..data import Corpus, ReadOptions
from ..training.judging import figures
from ..training.language_metrics import judge
from ..training.token_parts import in_tokens
from .fit import Source
from .language import Language
from .model import Model
from .tested import corpus_for


def evaluate(
    model: Model | Language, data: Source | None = None, read: ReadOptions | None = None, *, stride: int | None = None
) -> dict[str, Any]:
    """Metrics with 95 % intervals, the baseline beside; of labels the confusion matrix and the most confident mistakes, of a
    language model the most and least surprising texts.

    ``trained_on`` is true where the data is, row for row, what ``fit`` was given: its figures then flatter the model.

    Args:
        model: from ``fit`` or ``load``.
        data: text as ``fit`` takes it; labelled, for a classifier or regression. None: what the model's run was tested on, from
            the data that its record names.
        read: which columns to read and how.
        stride: of the windows in which a network reads what is longer than its context; half of it if None.

    Raises:
        UsageError: a stride is given for a model that has no context to slide.
        DataError: the data cannot be read, or holds a label that training had not seen.
    """
    if not isinstance(model, Language) and stride is not None:
        raise UsageError("--stride is for language models, and this is none. Leave it out.")
    if isinstance(model, Language):
        model = model.sliding(stride)
        read = replace(read or ReadOptions(), unlabelled=True, label=None, texts=model.document_unit)
    with closing(corpus_for({str(model.path): model}, data, read)) as corpus:
        return _surprisal(model, corpus) if isinstance(model, Language) else of_labels(model, corpus)


def of_labels(model: Model, corpus: Corpus) -> dict[str, Any]:
    """What ``evaluate`` says of a classifier or regression."""
    predictor, task = model.predictor, model.predictor.task
    target, weight = task.targets(corpus), corpus.weights
    scores = np.concatenate([predictor.scores(texts) for texts in corpus.blocks()])
    said, rows, found = figures(predictor, scores, target, _trained_on(model), weight, corpus.keys)
    listed = zip(corpus.texts(rows), found, rows, strict=True)
    return {
        "source": corpus.source,
        "skipped": corpus.skipped,
        "notes": predictor.remarks(corpus.blocks()),
        "trained_on": model.was_trained_on(corpus.fingerprint),
        "task": task.kind,
        "labels": list(task.labels) or None,
        **said,
        "mistakes": [{"text": text, **what, "place": corpus.place(int(row))} for text, what, row in listed],
    }


def _surprisal(model: Language, corpus: Corpus) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="lossworks-") as scratch:
        test = in_tokens(corpus.blocks(), model.trained.tokenizer, Path(scratch), "data", whole=model.document_unit == "file")
        result = judge(model.trained, test, model.counts, model.record["config"]["seed"])
    return {
        "source": corpus.source,
        "skipped": corpus.skipped,
        "trained_on": model.was_trained_on(corpus.fingerprint),
        "task": "lm",
        **result,
    }


def _trained_on(model: Model) -> NDArray[Any]:
    """Targets that the baseline learns the same from as from the training part: it needs but the counts."""
    data = model.record.get("data", {})
    counts = data["train_counts"] if data else None
    if counts is None and model.predictor.task.labels:
        raise UsageError(
            "this model has no record of its training data, which the baseline needs. Load it from its run directory."
        )
    return model.predictor.task.from_counts(counts, data.get("parts", {}).get("train", 0))
