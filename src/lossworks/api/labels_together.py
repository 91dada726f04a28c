"""Several models of the same labels on one text, side by side, and what each other one differs by from the first."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from .. import metrics as figures
from ..core.errors import UsageError
from ..data import ReadOptions
from ..engine import Callbacks
from ..evidence.by_language import of_models
from ..evidence.results import UNITS
from .evaluate import of_labels, scores_of
from .f1 import f1_by_language
from .model import Model
from .paired import paired_with_first
from .reading import Source
from .sliced import label_losses, of_label_models
from .tested import corpus_for


def labels_side_by_side(
    models: Mapping[str, Model],
    data: Source | None = None,
    read: ReadOptions | None = None,
    *,
    slices: bool = False,
    callbacks: Callbacks | None = None,
) -> dict[str, Any]:
    """Models of the same labels on one text: what ``evaluate`` says of each, in the order given; and of each but the first
    ``against`` it, what ``paired_labels`` says, with p after Holm's correction over all metrics of all models.

    That is of these models, as they were trained: ``compare`` tells whether one way to train is better than another. ``slices``:
    whether to look for parts of the data on which a model's loss differs from the first one's by more or less than on the rest;
    ``callbacks``: how to watch; both as of ``evaluate``.

    Raises:
        UsageError: their labels differ.
        DataError: the data cannot be read, or holds a label that training had not seen.
    """
    tasks = {(model.predictor.task.kind, model.predictor.task.labels) for model in models.values()}
    if len(tasks) > 1:
        raise UsageError("the models do not have the same labels, so their figures do not compare. Evaluate them one by one.")
    with closing(corpus_for(models, data, read)) as corpus:
        scores = [scores_of(model, corpus, callbacks) for model in models.values()]
        given = data is not None
        found = {name: of_labels(model, corpus, own, given) for (name, model), own in zip(models.items(), scores, strict=True)}
        paired = paired_with_first(list(models.values()), scores, corpus)
        sliced: dict[str, Any] = {"slices": of_label_models(models, scores, corpus, read)} if slices else {}
        if corpus.languages is not None:
            task = next(iter(models.values())).predictor.task
            told = of_models(label_losses(models, scores, corpus), corpus.languages, UNITS[task.proper])
            if "macro_f1" in figures.METRICS[task.kind]:
                told += f1_by_language(models, scores, corpus, corpus.languages)
            sliced["by_language"] = told
    same = ("task", "source", "skipped", "bad", "rows", "texts")
    shared = {key: value for key, value in next(iter(found.values())).items() if key in same}
    rows = [{"run": name} | {key: value for key, value in each.items() if key not in shared} for name, each in found.items()]
    for row, against in zip(rows[1:], paired, strict=True):
        row["against"] = {"run": rows[0]["run"], **against}
    return {**shared, "notes": list(corpus.notes), "runs": rows, **sliced}
