"""Texts under a model, each in its parts, and a quantity of each as a function of the parts that are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..inference import Predictor, TextLanguage
from .quantity import Quantity
from .reading import scores_once

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

BIT = float(np.log(2))
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

    def fixed(self, number: int) -> Bool[NDArray[np.bool_], "P"]:
        """Which parts of a text must always be kept."""
        return np.zeros(len(self.spans[number]), np.bool_)

    def variants(self, number: int, kept: Bool[NDArray[np.bool_], "N P"]) -> list[str]:
        """A text with only some of its parts, once for each row of ``kept``; what stands after the last part stays."""
        pieces, rest = self.pieces(number)
        return ["".join([piece for piece, stays in zip(pieces, row, strict=True) if stays]) + rest for row in kept.tolist()]

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
        variants = [text for number, rows in enumerate(kept) for text in self.variants(number, rows)]
        scores = calibrated(self.predictor, variants)
        ends = np.cumsum([0, *map(len, kept)])
        parts = zip(self.quantities, ends[:-1], ends[1:], strict=True)
        return [quantity.values(scores[first:last]) for quantity, first, last in parts]


@dataclass(slots=True)
class LanguageTexts(Texts):
    """Under a language model; the quantity is the surprisal, in bits, of a whole text, its end included, or of a part of it.

    asked: the number of that part, which is always kept; None: the whole text.
    """

    language: TextLanguage
    asked: Sequence[int | None]

    def some(self, first: int, last: int) -> LanguageTexts:
        part = slice(first, last)
        return replace(self, texts=self.texts[part], spans=self.spans[part], asked=self.asked[part])

    def described(self, number: int) -> tuple[str, str]:
        asked = self.asked[number]
        if asked is None:
            return "surprisal of the text", "bits"
        first, last = self.spans[number][asked]
        return f"surprisal of {self.texts[number][first:last]!r}", "bits"

    def fixed(self, number: int) -> Bool[NDArray[np.bool_], "P"]:
        asked = self.asked[number]
        return np.asarray(np.arange(len(self.spans[number])) == (-1 if asked is None else asked))

    def values(self, kept: Sequence[Bool[NDArray[np.bool_], "N P"]]) -> list[Float[NDArray[np.float64], "N"]]:
        variants = [self.variants(number, rows) for number, rows in enumerate(kept)]
        encoded = self.language.encode([text for texts in variants for text in texts])
        bits = -self.language.model.logp(encoded) / BIT
        bounds = encoded.offsets + self.language.model.ends * np.arange(len(encoded) + 1)
        each = [bits[first:last] for first, last in pairwise(bounds.tolist())]
        found, first = [], 0
        for number, texts in enumerate(variants):
            own, first = each[first : first + len(texts)], first + len(texts)
            if self.asked[number] is not None:
                own = [row[self._positions(number, text, rest)] for row, text, rest in zip(own, texts, kept[number], strict=True)]
            found.append(np.array([row.sum() for row in own]))
        return found

    def _positions(self, number: int, variant: str, kept: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Where in a variant the tokens of the part stand that is asked for."""
        asked, lengths = self.asked[number], np.array(list(map(len, self.pieces(number)[0])))
        assert asked is not None
        begin = int(lengths[:asked][kept[:asked]].sum())
        spans = self.language.tokenizer.spans(variant)
        return np.flatnonzero((spans[:, 1] > begin) & (spans[:, 0] < begin + lengths[asked]))


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
