"""Texts under a model, each in its parts, and a quantity of each as a function of the parts that are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..inference import Predictor
from .quantity import Quantity
from .reading import scores_once

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

_CHARACTERS = 1 << 22  # read at once


@dataclass(slots=True)
class Texts(ABC):
    """``spans``: of each text, where its parts stand [P, 2]. A part goes with the white space before it."""

    texts: Sequence[str]
    spans: Sequence[NDArray[np.int64]]

    def __len__(self) -> int:
        return len(self.texts)

    @abstractmethod
    def some(self, first: int, last: int) -> Texts:
        """Those from ``first`` to before ``last``."""

    @abstractmethod
    def described(self, number: int) -> tuple[str, str]:
        """What is explained of a text, in words, and its unit."""

    @abstractmethod
    def values(self, kept: Sequence[Bool[NDArray[np.bool_], "N P"]]) -> list[Float[NDArray[np.float64], "N"]]:
        """The quantity of each text with only the parts in ``kept`` left of it: for each text as many as it has rows."""

    def readings(
        self, kept: Sequence[Bool[NDArray[np.bool_], "N P"]]
    ) -> list[tuple[Float[NDArray[np.float64], "N"], dict[str, Float[NDArray[np.float64], "N"]]]]:
        """The same, and what the quantity is for other labels, by their names."""
        return [(values, {}) for values in self.values(kept)]

    def fixed(self, number: int) -> Bool[NDArray[np.bool_], "P"]:
        """Which parts of a text must always be kept."""
        return np.zeros(len(self.spans[number]), np.bool_)

    def sizes(self, number: int) -> Float[NDArray[np.float64], "P K"]:
        """Of each part, measures of its size that alone would foretell what deletions do: a trial leaves their share out."""
        return np.zeros((len(self.spans[number]), 0))

    def variants(self, number: int, kept: Bool[NDArray[np.bool_], "N P"]) -> list[str]:
        """A text with only some of its parts, once for each row of ``kept``. It begins with the white space that it began with;
        what stands after the last part stays.
        """
        pieces, rest = self.pieces(number)
        text, spans = self.texts[number], self.spans[number].tolist()
        begun = [text[: spans[0][0]] + text[first:last] for first, last in spans]
        found = []
        for row in kept:
            chosen = np.flatnonzero(row).tolist()
            found.append("".join([*(begun[part] for part in chosen[:1]), *(pieces[part] for part in chosen[1:]), rest]))
        return found

    def pieces(self, number: int) -> tuple[list[str], str]:
        """A text cut into its parts, each with the white space before it, and what stands after the last."""
        text, ends = self.texts[number], self.spans[number][:, 1].tolist()
        return [text[begin:end] for begin, end in pairwise([0, *ends])], text[ends[-1] if ends else 0 :]


@dataclass(slots=True)
class LabelTexts(Texts):
    """Under a classifier or regression; the quantity is of its calibrated scores.

    ends: whether the last part of each text is what stands after the others, and its end; it is always kept.
    """

    predictor: Predictor
    quantities: Sequence[Quantity]
    ends: bool = False

    def with_ends(self) -> LabelTexts:
        """The same with the ends of texts as parts of their own."""
        ends = [[[int(spans[-1, 1]) if len(spans) else 0, len(text)]] for text, spans in zip(self.texts, self.spans, strict=True)]
        return replace(self, spans=[np.append(*both, 0) for both in zip(self.spans, ends, strict=True)], ends=True)

    def fixed(self, number: int) -> Bool[NDArray[np.bool_], "P"]:
        fixed = np.zeros(len(self.spans[number]), np.bool_)
        fixed[-1:] = self.ends
        return fixed

    def some(self, first: int, last: int) -> LabelTexts:
        part = slice(first, last)
        return replace(self, texts=self.texts[part], spans=self.spans[part], quantities=self.quantities[part])

    def described(self, number: int) -> tuple[str, str]:
        quantity = self.quantities[number]
        return str(quantity), "nats" if quantity.name in ("logit", "surprisal") else ""

    def values(self, kept: Sequence[Bool[NDArray[np.bool_], "N P"]]) -> list[Float[NDArray[np.float64], "N"]]:
        return [quantity.values(scores) for quantity, scores in self._scores(kept)]

    def readings(
        self, kept: Sequence[Bool[NDArray[np.bool_], "N P"]]
    ) -> list[tuple[Float[NDArray[np.float64], "N"], dict[str, Float[NDArray[np.float64], "N"]]]]:
        return [
            (quantity.values(scores), {name: other.values(scores) for name, other in quantity.others(scores).items()})
            for quantity, scores in self._scores(kept)
        ]

    def _scores(self, kept: Sequence[Bool[NDArray[np.bool_], "N P"]]) -> Iterator[tuple[Quantity, NDArray[np.float64]]]:
        """Each text's quantity, and the scores of what is kept of it."""
        variants = [text for number, rows in enumerate(kept) for text in self.variants(number, rows)]
        scores = calibrated(self.predictor, variants)
        ends = np.cumsum([0, *map(len, kept)])
        return zip(self.quantities, np.split(scores, ends[1:-1]), strict=True)


def calibrated(predictor: Predictor, texts: Sequence[str]) -> NDArray[np.float64]:
    """Scores of texts as their quantities are told: logits divided by the temperature [N, labels], or numbers [N]."""
    some = blocks([len(text) for text in texts], _CHARACTERS) or [(0, 0)]
    scores = np.concatenate([scores_once(predictor, texts[first:last]) for first, last in some])
    return scores.astype(np.float64) / predictor.temperature


def blocks(sizes: Sequence[float], most: float) -> list[tuple[int, int]]:
    """Runs of texts, first and last, whose sizes come to no more than ``most``, or of one text."""
    runs, first, total = [], 0, 0.0
    for number, size in enumerate(sizes):
        if number > first and total + size > most:
            runs.append((first, number))
            first, total = number, 0
        total += size
    return [*runs, (first, len(sizes))] if sizes else []
