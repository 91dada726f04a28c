"""From corpora to a ``Dataset``: the task, parts, targets and weights; and the features, learned from the training part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DataError
from ..core.wording import counted
from ..data import TEST, TRAIN, VALID, Corpus, Features, Shards, infer_task, joined, shown_apart, split, twins
from ..tasks import LABEL_TASKS, LabelTask
from .dataset import DIVERGENCE, LEFT_OUT, Dataset, Part
from .teaching import Taught

if TYPE_CHECKING:
    from ..engine import Callbacks

FEWEST_TO_HOLD_OUT = 40
"""With fewer rows than this nothing is held out: a figure from a handful of rows would say nothing."""
MOST_VALID, MOST_TEST = 20_000, 100_000  # rows; more would cost time and tell no more
_MOST_SCORES = 50_000_000  # of the rows held out, one a class: what stands in memory when a model is judged


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
    parts = _parts(corpora, fixed, kind, valid, test, seed)
    if task is None:
        task = (
            taught.task if taught is not None and taught.task.labels else LABEL_TASKS[kind].of(main, parts[: len(main)] == TRAIN)
        )
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
    notes = [*_label_notes(main, kind), *_twin_notes(task), *(taught.notes if taught else ())]
    teacher = None if taught is None else taught.of_network(task)
    labelled = None if taught is None or taught.given.all() else taught.given
    beside: dict[str, Any] = {"balance": balance, "teacher": teacher, "given": labelled, "starts": starts, "notes": notes}
    beside["posterior"] = taught is not None and taught.posterior
    return Dataset(corpora, task, reason, parts, target, weight, loss_weight, metric, **beside)


def _parts(
    corpora: Sequence[Corpus], fixed: Sequence[int | None], kind: str, valid: float, test: float, seed: int
) -> NDArray[np.uint8]:
    """The part of each row: of the first corpus as it is split, of the others as they were given."""
    main = corpora[0]
    given = [np.full(len(corpus), TRAIN if part is None else part, np.uint8) for corpus, part in zip(corpora, fixed, strict=True)]
    if len(main) >= FEWEST_TO_HOLD_OUT:
        most = _MOST_SCORES // len(set(main.labels)) if kind == "classify" else MOST_TEST
        valid = 0.0 if VALID in fixed else min(valid, min(MOST_VALID, most) / len(main))
        test = 0.0 if TEST in fixed else min(test, min(MOST_TEST, most) / len(main))
        given[0] = split(main, kind, valid, test, seed)
    return np.concatenate(given)


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


def _twin_notes(task: LabelTask) -> list[str]:
    """Which labels are hardly meant to be two."""
    if not (found := twins(task.labels)):
        return []
    more = f" ({counted(len(found) - 1, 'more such pair')})" if len(found) > 1 else ""
    return [f"the labels {shown_apart(found[0])} are taken as different ones{more}; where they are one, spell them alike"]


def _weights(corpora: Sequence[Corpus]) -> NDArray[np.float32] | None:
    """A weight per row, 1 in corpora without; None where no corpus has any."""
    given = [corpus.weights for corpus in corpora]
    if all(weight is None for weight in given):
        return None
    pairs = zip(corpora, given, strict=True)
    return np.concatenate([np.ones(len(corpus), np.float32) if weight is None else weight for corpus, weight in pairs])
