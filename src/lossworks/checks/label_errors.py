"""Rows ranked by how likely their label is wrong: by the loss of models that were trained without them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from ..metrics import fit_temperature
from ..tasks import LabelTask
from ..training import Settings
from ..training.choices import for_family
from .label_noise import Floats, label_loss, pooled

_LINEAR = {"model": "linear"}
MODELS = {
    "classify": ({"model": "ngram:order=1,smoothing=additive,delta=0.3", "tokenizer": "words"}, _LINEAR),
    "multilabel": (_LINEAR,),
    "regress": (_LINEAR,),
}
"""What ranks the rows where no model is named. Naive Bayes, of words in any script, hardly learns single mistakes, ``linear`` is
the better classifier; together they rank well on all kinds of data (docs/EXPLAIN.md)."""
_ROBUST = {"regress": "huber"}  # with squared errors a few wrong numbers would pull the model


@dataclass(frozen=True, slots=True)
class Ranked:
    """What models say of each row that they were not trained on.

    loss: of classes and sets of labels, -log P(the label is right), in nats, of a set that of its most doubtful label; of numbers
        the absolute error. [N]
    answers: labels, tuples of labels, or numbers: what the models say. [N]
    doubtful: of sets of labels, the label in doubt and whether it is "added" or "missing"; else empty.
    """

    loss: Floats
    answers: list[Any]
    doubtful: list[tuple[str, str]]

    @property
    def order(self) -> NDArray[np.int64]:
        """The rows, the most doubtful first; of equally doubtful ones the first."""
        return np.argsort(-self.loss, kind="stable")


def settings_for(kind: str, models: Sequence[str] | None, seed: int, device: str) -> list[Settings]:
    """What to train for a task, in each fold on all of its rows: a counted model needs none to validate on."""
    found = []
    for choices in [{"model": model} for model in models] if models else MODELS[kind]:
        settings = for_family({"task": kind, "seed": seed, "test": 0.0, "device": device}, choices)
        if not settings.by_gradients:
            settings = replace(settings, valid=0.0)
        elif kind in _ROBUST:
            settings = replace(settings, loss=_ROBUST[kind])
        found.append(settings)
    return found


def rank(task: LabelTask, scores: Sequence[Floats], target: NDArray[Any]) -> Ranked:
    """The rows ranked by the out-of-fold ``scores`` of one or more models (``out_of_fold``)."""
    if task.kind == "regress":
        said = np.mean(scores, 0)
        return Ranked(np.abs(target - said), said.tolist(), [])
    if task.kind == "multilabel":
        return _sets(task, scores, target)
    logp = pooled(scores, target)
    best = np.nanargmax(logp, 1)
    return Ranked(label_loss(logp, target), [task.name_of(label) for label in best], [])


def _sets(task: LabelTask, scores: Sequence[Floats], target: NDArray[Any]) -> Ranked:
    """Each label is right or wrong by itself, with a noise matrix of its own."""
    logits = np.mean([_calibrated(each, target) for each in scores], 0)
    known, wanted = ~np.isnan(logits), target.astype(np.int64)
    loss = math.log(len(target)) * wanted.astype(np.float64)  # of a label on no other text, as among classes
    for label in range(target.shape[1]):
        rows = known[:, label]
        two = log_softmax(np.stack([np.zeros(rows.sum()), logits[rows, label]], 1), 1)
        loss[rows, label] = label_loss(two, wanted[rows, label])
    worst = loss.argmax(1)
    kinds = ("missing", "added")
    doubtful = [(task.labels[label], kinds[wanted[row, label]]) for row, label in enumerate(worst)]
    answers = [task.name_of(row) for row in np.nan_to_num(logits, nan=-1.0) > 0]
    return Ranked(loss.max(1), answers, doubtful)


def _calibrated(scores: Floats, target: NDArray[Any]) -> Floats:
    known = ~np.isnan(scores)
    logits = scores / (float(scores[known].std()) or 1.0)
    rows = known.all(1)
    return np.asarray(logits / fit_temperature(logits[rows], target[rows]))
