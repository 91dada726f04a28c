"""From corpora to what the engine needs: parts, targets, weights, and features learned from the training part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DataError
from ..core.lazy import Later
from ..data import (
    TEST,
    TRAIN,
    VALID,
    Batch,
    Corpus,
    Features,
    Languages,
    Selected,
    Shards,
    TextLanguages,
    infer_task,
    joined,
    split,
)
from ..tasks import LABEL_TASKS, LabelTask
from .balancing import rates
from .teaching import Taught

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ..engine import Callbacks
else:
    torch = Later("torch")

FEWEST_TO_HOLD_OUT = 40
"""With fewer rows than this nothing is held out: a figure from a handful of rows would say nothing."""
DIVERGENCE = "divergence"
"""The metric of validation rows that have no labels: in nats, from the teacher."""
LEFT_OUT = 3
"""The part of rows that are neither trained on nor judged by."""
MOST_VALID, MOST_TEST = 20_000, 100_000  # rows; more would cost time and tell no more
_MOST_SCORES = 50_000_000  # of the rows held out, one a class: what stands in memory when a model is judged


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

    def close(self) -> None:
        """Let go of the rows, in memory and on disk."""
        self._selected, self._at = None, -1
        self.shards.close()

    def pieces(self) -> Iterator[tuple[NDArray[np.int64], Selected]]:
        """All pieces in turn."""
        return (self.piece(number) for number in range(self.shards.pieces))


@dataclass(slots=True)
class Dataset:
    """Rows of one or more corpora, numbered through. ``parts[row]``; ``target`` as the task has it; ``weight`` of each row
    by itself, and in the training loss (``loss_weight``: times its class's). ``held_out_metric``: what training is judged by, the
    task's proper score, weighted as the training loss is where that weighs classes; where validation rows have no labels, the
    divergence from the teacher. ``teacher``: logits [rows, labels], or numbers [rows, 1] in the network's units; ``posterior``:
    it teaches multiplied with what the network says itself; ``given``: which rows have labels of their own; None: all.
    ``balance``: how often training rows of each language are drawn; None: once.
    """

    corpora: Sequence[Corpus]
    task: LabelTask
    reason: str
    parts: NDArray[np.uint8]
    target: NDArray[Any]
    weight: NDArray[np.float32] | None
    loss_weight: NDArray[np.float32]
    held_out_metric: str
    teacher: NDArray[np.float32] | None = None
    posterior: bool = False
    given: NDArray[np.bool_] | None = None
    balance: str | None = None
    features: Features | None = None
    train: Part | None = None
    valid: Part | None = None
    test: Part | None = None
    starts: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

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

    @property
    def judged_by_teacher(self) -> bool:
        """Whether the validation rows have no labels of their own."""
        return self.held_out_metric == DIVERGENCE

    @property
    def languages(self) -> Languages | None:
        """Of each row, where languages are told apart."""
        return Languages.together(self.corpora)

    def only(self, language: str) -> Dataset:
        """The rows of one language, unread; those of others are left out."""
        languages = self.languages
        assert languages is not None
        own = languages.of_row == languages.names.index(language)
        parts = np.where(own, self.parts, np.uint8(LEFT_OUT))
        return replace(self, parts=parts, features=None, train=None, valid=None, test=None)

    @property
    def rates(self) -> NDArray[np.float64] | None:
        """How often training rows of each language are drawn in an epoch [L]; None: once, all of them."""
        return rates(self.balance, self.languages, self.parts)

    def times(self, seed: int) -> NDArray[np.int64] | None:
        """How often each training row is counted by what reads them in one pass [training rows]; None: once."""
        languages, found = self.languages, self.rates
        if languages is None or found is None:
            return None
        return TextLanguages(languages.of_row[self.parts == TRAIN], len(found), found).times(seed)

    def training_texts(self, seed: int) -> Iterator[list[str]]:
        """The texts of the training part, each as often as it is counted, some MB at a time."""
        times, read = self.times(seed), 0
        for _, texts in self.blocks(TRAIN):
            read += len(texts)
            yield texts if times is None else np.repeat(np.array(texts, object), times[read - len(texts) : read]).tolist()

    @property
    def keys(self) -> NDArray[np.uint64]:
        """A hash of each row's text."""
        return np.concatenate([corpus.keys for corpus in self.corpora])

    def label_counts(self) -> dict[str, int] | None:
        """Rows of each label, all parts together."""
        counts = self.task.counts(self.target)
        return None if counts is None else dict(zip(self.task.labels, counts, strict=True))

    def train_counts(self) -> list[int] | None:
        """Training rows of each label."""
        return self.task.counts(self.target[self.parts == TRAIN])

    def batch(self, selected: Selected, rows: NDArray[np.int64], chosen: NDArray[np.int64]) -> Batch:
        """The batch of the ``chosen`` rows of a piece."""
        numbers = rows[chosen]
        target = self.task.of_network(self.target[numbers])
        return selected.batch(chosen, torch.from_numpy(target), torch.from_numpy(self.loss_weight[numbers]))

    def taught(self, numbers: NDArray[np.int64], outputs: Tensor) -> Tensor:
        """What some rows' answers are compared with, beside the network's ``outputs`` of them: what the teacher says, or the
        product of that and what the network says now, whose logits are their sums. What either holds impossible is so.
        """
        assert self.teacher is not None
        said = torch.from_numpy(self.teacher[numbers]).to(outputs)
        return said + self.task.whole_logits(outputs) if self.posterior else said

    def close(self) -> None:
        """Let go of the parts."""
        for part in (self.train, self.valid, self.test):
            if part is not None:
                part.close()

    def _find(self, row: int) -> tuple[Corpus, int]:
        number = int(np.searchsorted(self.starts, row, "right")) - 1
        return self.corpora[number], row - self.starts[number]


def assemble(
    corpora: Sequence[Corpus],
    fixed: Sequence[int | None],
    kind: str,
    class_weight: Any,
    valid: float,
    test: float,
    seed: int,
    taught: Taught | None = None,
    balance: str | None = None,
    task: LabelTask | None = None,
) -> Dataset:
    """Decide the task, the parts and the targets. ``fixed``: the part that a corpus was given as, None for the one to split;
    ``taught``: what a teacher says of the rows, whose labels are then complete; ``task``: of ``kind``, with its labels, where
    they are known before.

    Raises:
        DataError: one class only, a label of the wrong kind, a label outside the training part.
        UsageError: class weights that do not fit the labels.
    """
    main = corpora[0]
    if taught is None:
        inferred, reason = infer_task(main.labels)
        kind, reason = (inferred, reason) if kind == "auto" else (kind, f"{kind}, as asked for")
    else:
        kind, reason = taught.task.kind, taught.reason
    given = [np.full(len(corpus), TRAIN if part is None else part, np.uint8) for corpus, part in zip(corpora, fixed, strict=True)]
    if len(main) >= FEWEST_TO_HOLD_OUT:
        most = _MOST_SCORES // len(set(main.labels)) if kind == "classify" else MOST_TEST
        valid = 0.0 if VALID in fixed else min(valid, min(MOST_VALID, most) / len(main))
        test = 0.0 if TEST in fixed else min(test, min(MOST_TEST, most) / len(main))
        given[0] = split(main, kind, valid, test, seed)
    parts = np.concatenate(given)
    if task is None:
        task = taught.task if taught is not None and taught.task.labels else LABEL_TASKS[kind].of(main, given[0] == TRAIN)
    target = np.concatenate([task.targets(corpus) for corpus in corpora])
    weight = _weights(corpora)
    loss_weight = np.ones(len(parts), np.float32) if weight is None else weight.copy()
    by_teacher = taught is not None and _place(parts, taught)
    metric = DIVERGENCE if by_teacher else task.held_out_metric
    if class_weight is not None:
        own = loss_weight.copy()
        loss_weight *= task.class_factors(class_weight, target, parts == TRAIN)
        metric = metric if by_teacher or np.array_equal(loss_weight, own) else f"weighted_{metric}"
    if not loss_weight[parts == TRAIN].sum() > 0:
        raise DataError(f"{main.source}: every training row weighs 0, so there is nothing to learn from.")
    starts = np.cumsum([0, *map(len, corpora)])[:-1].tolist()
    notes = [*_label_notes(main, kind), *(taught.notes if taught else ())]
    teacher = None if taught is None else taught.of_network(task)
    labelled = None if taught is None or taught.given.all() else taught.given
    beside: dict[str, Any] = {"balance": balance, "teacher": teacher, "given": labelled, "starts": starts, "notes": notes}
    beside["posterior"] = taught is not None and taught.posterior
    return Dataset(corpora, task, reason, parts, target, weight, loss_weight, metric, **beside)


def _place(parts: NDArray[np.uint8], taught: Taught) -> bool:
    """Take rows without a label out of the parts that judge, as far as others judge; whether validation rows have none."""
    bare = ~taught.given
    parts[bare & (parts == TEST)] = TRAIN
    labelled = (~bare & (parts == VALID)).any()
    if labelled:
        parts[bare & (parts == VALID)] = TRAIN
    parts[bare & taught.silent] = LEFT_OUT
    return not labelled and bool((parts == VALID).any())


def read_features(
    data: Dataset,
    features: Features,
    folder: Path,
    seed: int,
    budget: int,
    callbacks: Callbacks,
    *,
    known: bool = False,
) -> None:
    """Read every text, learn the features from the training part, and keep the parts for the epochs; who watches is told of it.
    Features that are ``known`` are extended alone.

    Raises:
        Interrupted: features that are trained by labels were to stop.
    """
    data.features = features
    if not known:
        features.prepare(data.training_texts(seed))
        if features.by_labels:
            from .contrasting import contrast

            contrast(data, features, folder, seed, budget, callbacks)
    stores = [Shards(folder, f"{seed}/{part}", budget, f"part-{part}") for part in (TRAIN, VALID, TEST)]
    counter = features.counter()
    row = 0
    for corpus in data.corpora:
        for texts in _blocks(corpus, features.at_once):
            rows = row + np.flatnonzero(data.parts[row : row + len(texts)] != LEFT_OUT)
            read, part_of = features.read([texts[at] for at in rows - row]), data.parts[rows]
            counter.add(read, part_of == TRAIN)
            for part, store in enumerate(stores):
                chosen = np.flatnonzero(part_of == part)
                if len(chosen):
                    store.append(rows[chosen], read, chosen)
            row += len(texts)
            callbacks.watch("read", {"rows": row, "of": len(data.parts)})
    (features.extend if known else features.learn)(counter)
    data.train, data.valid, data.test = (Part(store, features) for store in stores)


def _blocks(corpus: Corpus, size: int | None) -> Iterator[list[str]]:
    """The blocks of a corpus, cut into those of ``size`` texts at most."""
    for texts in corpus.blocks():
        yield from (texts[start : start + (size or len(texts))] for start in range(0, len(texts), size or len(texts)))


def _label_notes(corpus: Corpus, kind: str) -> list[str]:
    """How several labels in a cell were read, or that they were not."""
    if kind == "multilabel" and corpus.label_sep and any(isinstance(label, tuple) and len(label) > 1 for label in corpus.labels):
        return [f"several labels in a cell are parted by {corpus.label_sep!r} (--label-sep)"]
    if kind == "classify" and (found := joined(set(corpus.labels))):
        label, mark = found
        return [f"labels such as {label!r} are taken as one class each; if they are several, part them with --label-sep {mark!r}"]
    return []


def _weights(corpora: Sequence[Corpus]) -> NDArray[np.float32] | None:
    """A weight per row, 1 in corpora without; None where no corpus has any."""
    given = [corpus.weights for corpus in corpora]
    if all(weight is None for weight in given):
        return None
    pairs = zip(corpora, given, strict=True)
    return np.concatenate([np.ones(len(corpus), np.float32) if weight is None else weight for corpus, weight in pairs])
