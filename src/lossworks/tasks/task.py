"""What is to be told of a text: one of several classes, a set of labels, or a number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DataError
from ..data import Corpus, class_names, label_sets, numbers

Kind = Literal["classify", "multilabel", "regress"]


@dataclass(frozen=True, slots=True)
class Task:
    """The kind, the labels in their order, and for numbers the training mean and deviation (networks work in units of those)."""

    kind: Kind
    labels: tuple[str, ...] = ()
    center: float = 0.0
    spread: float = 1.0

    @property
    def outputs(self) -> int:
        """How many outputs a network needs; two classes need one, the log-odds of the second."""
        return 1 if self.kind == "regress" or self.is_binary else len(self.labels)

    @property
    def is_binary(self) -> bool:
        """Whether it is one class or the other."""
        return self.kind == "classify" and len(self.labels) == 2

    def readable(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """A network's outputs [N, outputs] as logits [N, labels], or as numbers [N] in the data's own units."""
        if self.kind == "regress":
            return np.asarray(self.center + self.spread * outputs[:, 0].astype(np.float64))
        return np.concatenate([np.zeros_like(outputs), outputs], 1) if self.is_binary else outputs

    def targets(self, corpus: Corpus) -> NDArray[Any]:
        """The corpus's labels as class numbers [N], label sets [N, labels] of 0 and 1, or numbers [N].

        Raises:
            DataError: a label that training had not seen, or one of the wrong kind; names its place.
        """
        if self.kind == "regress":
            return numbers(corpus)
        number = {label: position for position, label in enumerate(self.labels)}
        if self.kind == "classify":
            names = class_names(corpus)
            try:
                return np.fromiter(map(number.__getitem__, names), np.int64, len(names))
            except KeyError:
                self._unseen(corpus, [(name,) for name in names])
        sets = label_sets(corpus)
        if any(label not in number for labels in set(sets) for label in labels):
            self._unseen(corpus, sets)
        target = np.zeros((len(sets), len(self.labels)), np.float32)
        for row, labels in enumerate(sets):
            target[row, [number[label] for label in labels]] = 1
        return target

    def _unseen(self, corpus: Corpus, sets: list[tuple[str, ...]]) -> None:
        rows = [row for row, labels in enumerate(sets) if not set(labels) <= set(self.labels)]
        strange = next(label for label in sets[rows[0]] if label not in self.labels)
        raise DataError(
            f"{corpus.place(rows[0])}: the label {strange!r} was not seen in training ({len(rows):,} such rows). "
            f"Known: {', '.join(map(repr, self.labels[:10]))}{' …' if len(self.labels) > 10 else ''}. "
            "Correct or remove those rows, or fit again with the label among the training rows."
        )
