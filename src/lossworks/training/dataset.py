"""Labelled rows as the engine needs them: parts, targets, weights, features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.lazy import Later
from ..data import TRAIN, Batch, Corpus, Features, Languages, Selected, Shards, TextLanguages
from ..tasks import LabelTask
from .balancing import rates

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = Later("torch")

DIVERGENCE = "divergence"
"""The metric of validation rows that have no labels: in nats, from the teacher."""
LEFT_OUT = 3
"""The part of rows that are neither trained on nor judged by."""


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
