"""A teacher beside the labels, or in their place: what a source of labels says of each row, worked out once.

Rows without a label are learned from the teacher alone. Where it is silent, a row's label stands for what it would have said; a
row that has neither is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DataError, UsageError
from ..core.seeds import generator
from ..data import TEST, Corpus, infer_task, original
from ..data.labels import spelled
from ..inference import Tokens
from ..models import LanguageModel
from ..tasks import LABEL_TASKS, LabelTask, label_task

CUT = "cut:"
"""What the spec of a teacher begins with whose link to the texts is cut."""
_SURE = 10.0  # the log-odds that a label counts for where the teacher is silent: every divergence is then finite

Answers = Callable[[Sequence[str]], NDArray[np.float64]]
"""Texts to logits [N, labels], as ``fusion.LabelSource.logits`` gives them, or to numbers [N, 1]: NaN where there is nothing to
say.
"""


@dataclass(frozen=True, slots=True)
class Teacher:
    """What teaches. name: its spec. task: what it has labels for by itself; None: for those of the data.

    open: what it answers, for the task of the data; raises UsageError where it has not its labels.
    language: the model that answers for tokens; raises UsageError where it has others. None: it is none of language.
    posterior: it teaches as the product of its own distribution, to this power, and the student's; None: by itself.
    tokenizer, document_unit: the settings that spell its own tokens, and what was one text; None: any will do.
    """

    name: str
    task: LabelTask | None
    open: Callable[[LabelTask], Answers]
    language: Callable[[Tokens], LanguageModel] | None = None
    posterior: float | None = None
    tokenizer: str | None = None
    document_unit: str | None = None

    def of_tokens(self, tokens: Tokens) -> LanguageModel:
        """What teaches a language model of these tokens.

        Raises:
            UsageError: it has other tokens, or knows none.
        """
        if self.language is None:
            raise UsageError(
                f"--teach {self.name} knows labels, and what is trained is a language model. Teach with a run of a language "
                "model on the same tokens, or uniform."
            )
        return self.language(tokens)


@dataclass(frozen=True, slots=True)
class Taught:
    """The rows of all corpora with a teacher. logits: [rows, labels], or numbers [rows, 1]. given: which have labels. silent: of
    which it says nothing. posterior: it teaches multiplied with what the student says.
    """

    task: LabelTask
    reason: str
    logits: NDArray[np.float64]
    given: NDArray[np.bool_]
    silent: NDArray[np.bool_]
    notes: list[str]
    posterior: bool = False

    def of_network(self, task: LabelTask) -> NDArray[np.float32]:
        """``logits`` as a network's losses take them."""
        return np.asarray(task.of_network(self.logits), np.float32)

    def cut(self, task: LabelTask, rows: NDArray[np.int64], seed: int) -> NDArray[np.float32]:
        """The same with the link to the texts cut: of these rows, those of which it speaks, dealt out among them anew."""
        spoken, found = rows[~self.silent[rows]], self.of_network(task).copy()
        found[spoken] = found[generator(seed, "cut").permutation(spoken)]
        return found


def teach(corpora: Sequence[Corpus], fixed: Sequence[int | None], kind: str, teacher: Teacher) -> Taught:
    """Ask the teacher about every row, and give those without a label the one that it finds most probable, for counts and strata.

    Args:
        corpora, fixed, kind: as of ``assemble``. The labels are completed in place.
        teacher: what teaches.

    Raises:
        DataError: a test row has no label; or it says nothing of any training row.
        UsageError: it is of other labels, or the task has none.
    """
    given = [np.array([label is not None for label in corpus.labels]) for corpus in corpora]
    for corpus, has, part in zip(corpora, given, fixed, strict=True):
        if part == TEST and not has.all():
            raise DataError(f"{corpus.place(int(np.argmin(has)))}: the label is missing, and test rows need one.")
    task, reason = _task(corpora, given, kind, teacher)
    answers = teacher.open(task)
    logits = np.concatenate([np.asarray(answers(texts), np.float64) for corpus in corpora for texts in corpus.blocks()])
    silent = np.isnan(logits).any(1)
    starts = np.cumsum([0, *map(len, corpora)])
    if silent[: starts[1]].all():
        raise DataError(
            f"{teacher.name} says nothing of any text of {corpora[0].source}. Is it in the same language and spelling?"
        )
    for corpus, has, start in zip(corpora, given, starts.tolist(), strict=False):
        _complete(corpus, has, task, logits[start : start + len(corpus)])
        rows = np.flatnonzero(silent[start : start + len(corpus)])
        logits[start + rows] = _as_logits(task, corpus)[rows] if teacher.posterior is None else 0.0
    parts = zip(corpora, fixed, strict=True)
    learned = np.concatenate([np.full(len(corpus), part != TEST) for corpus, part in parts])
    notes = [f"taught by {teacher.name}, which speaks of {(~silent[learned]).mean():.1%} of the rows to learn from"]
    has = np.concatenate(given)
    if not has.all():
        notes.append(f"{int((~has).sum()):,} rows have no label, and are learned from the teacher alone")
    if lost := int((silent & ~has).sum()):
        notes.append(f"{lost:,} of them are left out: the teacher is silent too")
    if teacher.posterior is not None:
        logits *= teacher.posterior
    return Taught(task, reason, logits, has, silent, notes, teacher.posterior is not None)


def _task(corpora: Sequence[Corpus], given: Sequence[NDArray[np.bool_]], kind: str, teacher: Teacher) -> tuple[LabelTask, str]:
    """The task of the labels that there are, and of the teacher's own where rows have none."""
    labels = [label for corpus in corpora for label in corpus.labels if label is not None]
    own = teacher.task
    if not labels and own is None:
        raise UsageError(f"--teach {teacher.name}: no row has a label, so it is not known what there is to tell apart.")
    inferred, reason = infer_task(labels) if labels else (own.kind, f"{own.kind}, as the teacher") if own else ("", "")
    kind, reason = (inferred, reason) if kind == "auto" else (kind, f"{kind}, as asked for")
    if kind != own.kind if own else kind == "regress":
        known = f"answers for the task {own.kind}" if own else "distributions over labels"
        raise UsageError(f"--teach {teacher.name} gives {known}, and the task is {kind}. Leave it out, or say --task.")
    if own and not own.has_probabilities:
        if teacher.posterior is not None:
            raise UsageError(f"--teach {teacher.name} gives numbers, and a posterior is of probabilities. Leave posterior out.")
        return own, reason
    if given[0].all():
        return LABEL_TASKS[kind].of(corpora[0], np.ones(len(corpora[0]), np.bool_)), reason
    types = {corpus.label_type for corpus, has in zip(corpora, given, strict=True) if has.any()} or {
        own.label_type if own else ""
    }
    label_type = types.pop() if len(types) == 1 else "str"
    names = {name for label in labels for name in (label if isinstance(label, tuple) else (spelled(label),))}
    names |= {*own.labels} if own else set()
    if len(names) < 2:
        raise UsageError(f"--teach {teacher.name}: the only label is {names.pop()!r}; telling classes apart takes two at least.")
    return label_task(kind, sorted(names, key=lambda name: original(name, label_type)), label_type=label_type), reason


def _complete(corpus: Corpus, has: NDArray[np.bool_], task: LabelTask, logits: NDArray[np.float64]) -> None:
    """Give the rows without a label the teacher's."""
    rows = np.flatnonzero(~has)
    said = np.nan_to_num(logits[rows])
    answered = task.decide(task.probabilities(said if task.has_probabilities else said[:, 0]), None)
    for row, label in zip(rows.tolist(), answered, strict=True):
        corpus.labels[row] = label


def _as_logits(task: LabelTask, corpus: Corpus) -> NDArray[np.float64]:
    """The labels, as a teacher that is sure of them, or gives just these numbers."""
    target = task.targets(corpus)
    if not task.has_probabilities:
        return target[:, None]
    sets: NDArray[Any] = np.eye(len(task.labels))[target] if target.ndim == 1 else target
    return _SURE * (2 * sets - 1)
