"""``check_labels``: the rows of a data set ranked by how likely their label is wrong, and a hand check of how many are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import answers as given
from ..checks.hand_check import Design, Estimate, estimate
from ..checks.label_errors import Ranked, rank, settings_for
from ..checks.out_of_fold import out_of_fold
from ..core import values
from ..core.errors import DataError, UnknownName
from ..data import Corpus, ReadOptions, infer_task, k_folds, load
from ..data.labels import SEPARATORS
from ..engine import Callbacks
from ..record.rows import write_rows
from ..record.scratch import temporary
from ..tasks import LABEL_TASKS, LabelTask
from ..training import Settings
from .reading import Source, reading_for

TOP = 100
"""Rows of the ranking that the page and ``to_json`` show."""


@dataclass(frozen=True, slots=True, repr=False)
class LabelCheck:
    """The rows of a data set, the most doubtful label first.

    corpus, task, target: the data, in its own order [N].
    ranked, order: the loss of each of its rows and what models say that were trained without it; the rows by that loss [N].
    design, estimate: which rows are looked at by hand, and what the answers say of all rows; None without answers.
    check: what was done, in plain values. notes: what is odd, in words.
    """

    corpus: Corpus
    task: LabelTask
    target: NDArray[Any]
    ranked: Ranked
    order: NDArray[np.int64]
    design: Design
    estimate: Estimate | None
    check: dict[str, Any]
    notes: list[str]

    @property
    def loss(self) -> NDArray[np.float64]:
        """Of each row of the data [N], as of ``Ranked``: it ranks, and is no count of errors."""
        return self.ranked.loss

    def __repr__(self) -> str:
        from ..report.label_errors import sentence

        return f"LabelCheck of {self.corpus.source}: {sentence(self.to_json())}"

    def rows(self) -> Iterator[dict[str, Any]]:
        """Every row, in the order of the ranking: its place there, where it stands in the data, text, label, what the models say,
        the loss, and of sets of labels the one in doubt and whether it is added or missing.
        """
        for first in range(0, len(self.order), 1000):
            yield from self._rows(np.arange(first, min(first + 1000, len(self.order))))

    def sample(self) -> list[dict[str, Any]]:
        """The rows to look at by hand, in their order."""
        return list(self._rows(self.design.places()))

    def to_json(self) -> dict[str, Any]:
        """Everything but the rows beyond the first hundred, in plain values."""
        return {
            **self.check,
            "labels": list(self.task.labels) or None,
            "skipped": self.corpus.skipped,
            "notes": self.notes,
            "strata": self.design.to_json(),
            "estimate": None if self.estimate is None else self.estimate.to_json(),
            "ranked": list(islice(self.rows(), TOP)),
        }

    def write(self, path: Path | str) -> Path:
        """Write the page on which the sample is looked at, and return its path.

        Raises:
            RecordError: the page cannot be written.
        """
        from ..report.label_errors import write_label_errors

        return write_label_errors(self.to_json(), self.check, self.sample(), Path(path))

    def write_rows(self, path: Path | str) -> Path:
        """Write all rows in the order of the ranking, as .csv, .jsonl or .parquet, and return the path.

        Raises:
            UsageError: another ending. RecordError: the file cannot be written.
        """
        mark = self.corpus.label_sep if self.corpus.label_sep in SEPARATORS else ";"
        return write_rows(Path(path), self.rows(), mark=mark)

    def _rows(self, places: NDArray[np.int64]) -> Iterator[dict[str, Any]]:
        rows = self.order[places]
        labels = self.task.original([self.task.name_of(self.target[row]) for row in rows])
        said = self.task.original([self.ranked.answers[row] for row in rows])
        for place, row, text, label, answer in zip(places, rows, self.corpus.texts(rows), labels, said, strict=True):
            found = {"place": int(place) + 1, "row": self.corpus.place(int(row)), "text": text, "label": label, "answer": answer}
            if self.ranked.doubtful:
                found["doubtful"], found["is"] = self.ranked.doubtful[row]
            yield {**found, "loss": float(self.loss[row])}


def check_labels(
    data: Source,
    *,
    read: ReadOptions | None = None,
    task: str = "auto",
    model: str | Sequence[str] | None = None,
    folds: int = 5,
    sample: int = 200,
    seed: int = 0,
    checked: Path | str | Mapping[str, Any] | None = None,
    device: str = "cpu",
    callbacks: Callbacks | None = None,
) -> LabelCheck:
    """Rank the rows by the loss of models that were trained without them, and say how many labels are wrong by a hand check.

    Args:
        data: labelled text as ``fit`` takes it: classes, sets of labels, or numbers.
        read: which columns to read and how.
        task: "classify", "multilabel" or "regress"; "auto": by the labels.
        model: a classifier's spec or several, whose answers are pooled. None: for classes ``linear`` and a naive Bayes model
            (``ngram:order=1``), else ``linear``.
        folds: how many parts the rows are in; for each, the models are trained on the others. Equal texts are in one part.
        sample: rows to look at by hand.
        seed: of folds, models and sample.
        checked: the answers of a hand check of this very check, as downloaded from the page.
        device: where networks are trained.
        callbacks: how to watch and stop it.

    Raises:
        DataError, UsageError: the data, or an argument, does not fit; or the answers are for other data or another check.
    """
    if task not in ("auto", *LABEL_TASKS):
        raise UnknownName("task", task, ("auto", *LABEL_TASKS))
    for name, value, least in (("folds", folds, 2), ("sample", sample, 1), ("seed", seed, None)):
        values.whole(name, value, least=least)
    answered = None if checked is None else given.read(checked)
    corpus = load(data, reading_for(Settings(task=task), read))
    kind, _ = infer_task(corpus.labels) if task == "auto" else (task, "")
    settings = settings_for(kind, [model] if isinstance(model, str) else model, seed, device)
    about = LABEL_TASKS[kind].of(corpus, np.ones(len(corpus), np.bool_))
    target, design = about.targets(corpus), Design.of(len(corpus), sample, seed)
    notes = [*corpus.notes, *_notes(corpus, about, target)]
    check = {
        "source": corpus.source,
        "data": corpus.fingerprint,
        "rows": len(corpus),
        "task": kind,
        "models": [each.model for each in settings],
        "folds": folds,
        "sample": min(sample, len(corpus)),
        "seed": seed,
    }
    answers = None if answered is None else given.matched(answered, check, design)
    found = None if answers is None else estimate(design, answers)
    with temporary() as scratch:
        fold = k_folds(corpus, kind, folds, seed)
        scores = out_of_fold(corpus, about, fold, settings, callbacks or Callbacks(), scratch)
    ranked = rank(about, scores, target)
    return LabelCheck(corpus, about, target, ranked, ranked.order, design, found, check, notes)


def _notes(corpus: Corpus, task: LabelTask, target: NDArray[Any]) -> list[str]:
    """Labels that no other text has, in words.

    Raises:
        DataError: there are no two classes that two texts have.
    """
    if not task.labels:
        return []
    rows, labels = np.nonzero(target) if target.ndim == 2 else (np.arange(len(target)), target)
    pairs = np.unique(np.stack([labels.astype(np.uint64), corpus.keys[rows]]), axis=1)
    texts = np.bincount(pairs[0].astype(np.int64), minlength=len(task.labels))  # different ones of each label
    if task.kind == "classify" and (texts > 1).sum() < 2:
        raise DataError(
            f"{corpus.source}: fewer than two labels stand on several texts, and a label can only be judged by "
            "other texts that have it. Give more rows, or name the column of the labels with --label."
        )
    lone = [task.labels[label] for label in np.flatnonzero(texts == 1)]
    shown = ", ".join(map(repr, lone[:5])) + (", …" if len(lone) > 5 else "")
    verb = "label stands" if len(lone) == 1 else "labels stand"
    return [f"{len(lone):,} {verb} on one text only, which no model can judge: {shown}"] if lone else []
