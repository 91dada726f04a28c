"""From corpora to what the loop needs: parts, targets, weights, and features learnt from the training part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..core.errors import DataError, UsageError
from ..data import (
    TEST,
    TRAIN,
    VALID,
    Batch,
    Corpus,
    Features,
    Selected,
    Shards,
    check_classes,
    class_names,
    infer_task,
    label_sets,
    numbers,
    split,
)
from ..tasks import Task

FEWEST_TO_HOLD_OUT = 40
"""With fewer rows than this nothing is held out: a figure from a handful of rows would say nothing."""
_LARGEST = 1e50  # numeric target: what is made of its squared error in intervals still is a number
_MOST_VALID, _MOST_TEST = 20_000, 100_000  # rows; more would cost time and tell no more


@dataclass(slots=True)
class Part:
    """The rows of one part. The piece read last stays ready, so a part in one piece is made ready once."""

    shards: Shards
    features: Features
    _at: int = -1
    _selected: Selected | None = None

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(map(self.shards.count, range(self.shards.pieces)))

    def piece(self, number: int) -> tuple[NDArray[np.int64], Selected]:
        """The row numbers of a piece and its selected features."""
        if self._selected is None or self._at != number:
            self._selected = None  # never two at once
            self._at, self._selected = number, self.features.select(self.shards.load(number))
        return self.shards.rows(number), self._selected

    def pieces(self) -> Iterator[tuple[NDArray[np.int64], Selected]]:
        """All pieces in turn."""
        return (self.piece(number) for number in range(self.shards.pieces))


@dataclass(slots=True)
class Dataset:
    """Rows of one or more corpora, numbered through. ``parts[row]``; ``target`` as the task has it; ``weight`` of each row
    by itself, and in the training loss (``loss_weight``: times its class's).
    """

    corpora: Sequence[Corpus]
    task: Task
    reason: str
    parts: NDArray[np.uint8]
    target: NDArray[Any]
    weight: NDArray[np.float32] | None
    loss_weight: NDArray[np.float32]
    leaked: int
    features: Features | None = None
    train: Part | None = None
    valid: Part | None = None
    test: Part | None = None
    starts: list[int] = field(default_factory=list)

    def place(self, row: int) -> str:
        """Where a row came from, in words."""
        corpus, within = self._find(row)
        return corpus.place(within)

    def texts(self, rows: NDArray[np.int64]) -> list[str]:
        """The texts of a few rows."""
        return [corpus.texts([within])[0] for corpus, within in map(self._find, rows.tolist())]

    def blocks(self, part: int) -> Iterator[tuple[int, list[str]]]:
        """The texts of one part, some MB at a time, with the number of rows gone over so far."""
        row = 0
        for corpus in self.corpora:
            for texts in corpus.blocks():
                of_part = self.parts[row : row + len(texts)] == part
                row += len(texts)
                yield row, [texts[i] for i in np.flatnonzero(of_part)]

    def label_counts(self) -> dict[str, int] | None:
        """Rows of each label, all parts together."""
        counts = self._counts(self.target)
        return None if counts is None else dict(zip(self.task.labels, counts, strict=True))

    def train_counts(self) -> list[int] | None:
        """Training rows of each label."""
        return self._counts(self.target[self.parts == TRAIN])

    def _counts(self, target: NDArray[Any]) -> list[int] | None:
        if self.task.kind == "regress":
            return None
        counts = np.bincount(target, minlength=len(self.task.labels)) if self.task.kind == "classify" else target.sum(0)
        return [int(count) for count in counts]

    def batch(self, selected: Selected, rows: NDArray[np.int64], chosen: NDArray[np.int64]) -> Batch:
        """The batch of the ``chosen`` rows of a piece."""
        numbers = rows[chosen]
        target = self.target[numbers]
        if self.task.kind == "regress":
            target = (target - self.task.center) / self.task.spread
        target = target if self.task.kind == "classify" else target.astype(np.float32)
        return selected.batch(chosen, torch.from_numpy(target), torch.from_numpy(self.loss_weight[numbers]))

    def _find(self, row: int) -> tuple[Corpus, int]:
        number = int(np.searchsorted(self.starts, row, "right")) - 1
        return self.corpora[number], row - self.starts[number]


def assemble(
    corpora: Sequence[Corpus],
    fixed: Sequence[int | None],
    kind: str,
    class_weight: str | None,
    valid: float,
    test: float,
    seed: int,
) -> Dataset:
    """Decide the task, the parts and the targets. ``fixed``: the part that a corpus was given as, None for the one to split.

    Raises:
        DataError: one class only, a label of the wrong kind, a label outside the training part.
        UsageError: class weights that do not fit the labels.
    """
    main = corpora[0]
    inferred, reason = infer_task(main.labels)
    kind, reason = (inferred, reason) if kind == "auto" else (kind, f"{kind}, as told")
    given = [np.full(len(corpus), TRAIN if part is None else part, np.uint8) for corpus, part in zip(corpora, fixed, strict=True)]
    if len(main) >= FEWEST_TO_HOLD_OUT:
        valid = 0.0 if VALID in fixed else min(valid, _MOST_VALID / len(main))
        test = 0.0 if TEST in fixed else min(test, _MOST_TEST / len(main))
        given[0] = split(main, kind, valid, test, seed)
    parts = np.concatenate(given)
    task = _task(kind, main, given[0] == TRAIN)
    target = np.concatenate([task.targets(corpus) for corpus in corpora])
    weight = _weights(corpora)
    loss_weight = np.ones(len(parts), np.float32) if weight is None else weight.copy()
    if class_weight is not None:
        loss_weight *= _class_factors(task, class_weight, target, parts)
    if not loss_weight[parts == TRAIN].sum() > 0:
        raise DataError(f"{main.source}: every training row weighs 0, so there is nothing to learn from.")
    keys = np.concatenate([corpus.keys for corpus in corpora])
    leaked = int(np.isin(keys[parts != TRAIN], keys[parts == TRAIN]).sum()) if len(corpora) > 1 else 0
    starts = np.cumsum([0, *map(len, corpora)])[:-1].tolist()
    return Dataset(corpora, task, reason, parts, target, weight, loss_weight, leaked, starts=starts)


def read_features(
    data: Dataset, features: Features, folder: Path, seed: int, budget: int, progress: Callable[[int], None]
) -> None:
    """Read every text, learn the features from the training part, and keep the parts for the epochs."""
    data.features = features
    features.prepare(texts for _, texts in data.blocks(TRAIN))
    stores = [Shards(folder, f"{seed}/{part}", budget, f"part-{part}") for part in (TRAIN, VALID, TEST)]
    counter = features.counter()
    row = 0
    for corpus in data.corpora:
        for texts in corpus.blocks():
            read = features.read(texts)
            part_of = data.parts[row : row + len(texts)]
            counter.add(read, part_of == TRAIN)
            for part, store in enumerate(stores):
                chosen = np.flatnonzero(part_of == part)
                if len(chosen):
                    store.append(row + chosen, read, chosen)
            row += len(texts)
            progress(row)
    features.learn(counter)
    data.train, data.valid, data.test = (Part(store, features) for store in stores)


def _task(kind: str, corpus: Corpus, train: NDArray[np.bool_]) -> Task:
    if kind == "regress":
        values = numbers(corpus)
        row = int(np.abs(values).argmax())
        if abs(values[row]) > _LARGEST:
            raise DataError(f"{corpus.place(row)}: the target {values[row]} is too large to work with. Give it in a larger unit.")
        values = values[train]
        return Task("regress", (), float(values.mean()), float(values.std()) or 1.0)
    if kind == "classify":
        names = class_names(corpus)
        check_classes(names, corpus.source)
        return Task("classify", tuple(sorted(set(names))))
    return Task("multilabel", tuple(sorted({label for labels in set(label_sets(corpus)) for label in labels})))


def _weights(corpora: Sequence[Corpus]) -> NDArray[np.float32] | None:
    """A weight per row, 1 in corpora without; None where no corpus has any."""
    given = [corpus.weights for corpus in corpora]
    if all(weight is None for weight in given):
        return None
    pairs = zip(corpora, given, strict=True)
    return np.concatenate([np.ones(len(corpus), np.float32) if weight is None else weight for corpus, weight in pairs])


def _class_factors(task: Task, given: str, target: NDArray[Any], parts: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What each row's training loss is multiplied by for its class."""
    if task.kind != "classify":
        raise UsageError(
            f"--class-weight is for one class a text; the task is {task.kind}. Weigh rows with --weight COLUMN instead."
        )
    if given == "balanced":
        counts = np.bincount(target[parts == TRAIN], minlength=len(task.labels))
        factors = counts.sum() / (len(counts) * np.maximum(counts, 1))
    else:
        pairs = dict(pair.partition("=")[::2] for pair in given.split(","))
        unknown = sorted(set(pairs) - set(task.labels))
        if unknown:
            raise UsageError(f"--class-weight names {unknown[0]!r}, which is no label. Labels: {', '.join(task.labels)}.")
        try:
            factors = np.array([float(pairs.get(label, 1)) for label in task.labels])
        except ValueError:
            raise UsageError(f"--class-weight {given!r}: wanted 'balanced' or label=number,label=number.") from None
        if not (np.isfinite(factors).all() and (factors >= 0).all()):
            raise UsageError(f"--class-weight {given!r}: wanted finite weights of 0 or more.")
    return np.asarray(factors[target], np.float32)
