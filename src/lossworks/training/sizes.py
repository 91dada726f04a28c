"""What a classifier's training takes in memory, told before it starts; and the model that suits many classes, or few rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .. import models, optim
from ..core.errors import OutOfMemory
from ..core.memory import available, in_gb
from ..data import TEST, TRAIN, VALID
from ..data.room import Beyond
from ..data.shards import BUDGET, PIECES
from ..models.linear import LinearSpec
from ..tasks import LanguageModeling
from .applicable import BY_STEPS, OF_EXAMPLES, TEACH
from .assembling import MOST_TEST, MOST_VALID
from .dataset import Dataset
from .settings import LABELS, Settings

_LARGEST = 1 << 27  # bytes of a table of weights that is made where no model is named
_MANY, _RULE, _EPOCHS = "bag", "adagrad:lr=0.3", 8  # for many classes with few rows each: docs/BENCHMARKS.md
_BYTES = 4  # a weight, and an n-gram of a text
_SPLIT, _KEPT = 60, 29  # of a row, while rows are split, and from then on: its part, target, weight, number and length
_CODE = 120 << 20  # what is compiled, and libraries
_TOKENS = 92  # of a text in tokens: its part, where it begins, its bytes and keys, and the order of the texts
_NETWORK = 370 << 20  # libraries, what is compiled, and a small network with its optimizer
_A_BUCKET = 24  # of the table of n-grams, and of weights
_FEW = 200  # texts that tell how many n-grams one has


def with_model(settings: Settings, data: Dataset) -> Settings:
    """The settings with a model that suits the number of classes or of rows, and a note in ``data`` of why: a choice by the data
    alone, so that it is the same on every machine. It is one for many classes where none is named and the default's table of
    features x outputs would take too much, and one for few rows where the family has one and nothing is said of training.
    """
    linear = LinearSpec()
    if settings.model is not None:
        return _for_few(settings, data)
    if not _is_large(linear, 1 << linear.bits, data):
        return settings
    features = linear.features()
    counter = features.counter()
    for texts in data.training_texts(settings.seed):
        counter.add(features.read(texts), np.ones(len(texts), np.bool_))
    features.learn(counter)
    if not _is_large(linear, len(features), data):
        return settings
    table, outputs = _BYTES * linear.parameters(len(features), data.task.outputs), data.task.outputs
    data.notes.append(
        f"{outputs:,} classes: the model is {_MANY} instead of {LABELS}, whose table of {len(features):,} features a class "
        f"would take {in_gb(table)}. --model says otherwise"
    )
    return replace(settings, model=_MANY, optimizer=settings.optimizer or _RULE, epochs=settings.epochs or _EPOCHS)


def _for_few(settings: Settings, data: Dataset) -> Settings:
    spec, rows = settings.spec, int((data.parts == TRAIN).sum())
    if not isinstance(spec, models.ModelSpec) or not data.task.groups or settings.said(*BY_STEPS, *OF_EXAMPLES, TEACH):
        return settings
    if (few := spec.for_few(rows)) is None:
        return settings
    named, few_named = models.render(spec), models.render(few)
    data.notes.append(
        f"{rows:,} training rows: the model is {few_named} instead of {named}, which needs more rows. "
        f"{named},contrastive=false or any setting of training says otherwise"
    )
    return replace(settings, model=few_named)


def beyond(settings: Settings) -> Beyond:
    """What a fit takes of rows beside what is held of them once they are read: to be asked while they are."""
    spec = settings.spec
    if settings.task == LanguageModeling.kind:
        return lambda rows, sample: (_NETWORK if settings.by_gradients else _CODE) + _TOKENS * rows
    if not isinstance(spec, LinearSpec):
        return lambda rows, sample: max(_SPLIT * rows, _CODE + _KEPT * rows)
    features, table = spec.features(), _A_BUCKET * (1 << spec.bits)

    def needed(rows: float, sample: Sequence[str]) -> float:
        each = _BYTES * len(features.read(few := sample[:_FEW]).ids) / len(few)
        train, *held = (each * count for count in (rows, min(rows / 10, MOST_VALID), min(rows / 10, MOST_TEST)))
        on_disk = max(BUDGET + sum(held), 3 * train / PIECES + 2 * sum(held))  # a piece, and what its features weigh
        read = on_disk if train > BUDGET else 1.5 * train + 2 * sum(held)
        return max(_SPLIT * rows, _CODE + _KEPT * rows + table + read)

    return needed


def check_memory(spec: models.ModelSpec, data: Dataset, settings: Settings, trainings: int = 1) -> None:
    """Refuse a training that memory has no room for, before it starts.

    Args:
        spec: the model.
        data: read, with its features known.
        settings: resolved.
        trainings: how many stand in memory together, where one is done again.

    Raises:
        OutOfMemory: with what it would take, what there is, and what to do.
    """
    assert data.features is not None
    features, outputs = len(data.features), data.task.outputs
    weights = spec.parameters(features, outputs)
    if weights is None:
        return
    rule = optim.build(settings.optimizer or spec.optimizer)
    copies = 3 + (2 if rule.row_state is None else len(rule.row_state))  # itself, its gradient and the best; what the rule keeps
    held_out = max(int((data.parts == part).sum()) for part in (VALID, TEST))
    needed = _BYTES * (copies * trainings * weights + 2 * outputs * held_out)
    there = available(settings.device)
    if needed <= there:
        return
    from ..models.bag import BagSpec  # PyTorch

    smaller = BagSpec()
    instead = _BYTES * copies * smaller.parameters(min(features, smaller.vocabulary), outputs)
    remedy = (
        "a smaller dim or vocabulary"
        if isinstance(spec, BagSpec)
        else (
            f"--model {_MANY}, which has one small table of features and one of classes (about {in_gb(instead)}), or fewer "
            "features: min_count=2, chars=0, fewer bits"
        )
    )
    raise OutOfMemory(
        f"{models.render(spec)} does not fit into memory: with {features:,} features and {outputs:,} outputs it has {weights:,} "
        f"weights, and training would take about {in_gb(needed)}, of which {in_gb(there)} are free. Try {remedy}."
    )


def _is_large(spec: LinearSpec, features: int, data: Dataset) -> bool:
    return _BYTES * spec.parameters(features, data.task.outputs) > _LARGEST
