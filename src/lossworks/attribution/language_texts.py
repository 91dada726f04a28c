"""Texts under a language model, each in its parts, and the surprisal of each, or of one part, as a function of the parts kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..data import Ragged
from ..inference import TextLanguage
from .texts import Texts

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

BIT = float(np.log(2))
IMPOSSIBLE = 1074.0
"""Bits that a token of probability 0 counts as, so that the rest can be told: those of the smallest number of float64."""
_ALL = 1 << 62  # positions, that are as many as there are


@dataclass(slots=True)
class LanguageTexts(Texts):
    """The quantity is the surprisal, in bits, of a whole text, its end included where the model predicts it, or of one part given
    what stands before it.

    A part's tokens are those that share a character with it or with the white space before it.

    asked: of each text the number of that part, which is always kept; None: the whole text.
    """

    language: TextLanguage
    asked: Sequence[int | None]

    def some(self, first: int, last: int) -> LanguageTexts:
        part = slice(first, last)
        return replace(self, texts=self.texts[part], spans=self.spans[part], asked=self.asked[part])

    def described(self, number: int) -> tuple[str, str]:
        if self.asked[number] is None:
            return "surprisal of the text", "bits"
        text, spans = self.texts[number], self.language.tokenizer.spans(self.texts[number])
        first, last = self.counted(number)
        covered = text[spans[first, 0] : spans[last - 1, 1]] if first < last else ""
        return f"surprisal of {covered.strip() or covered!r}", "bits"

    def fixed(self, number: int) -> Bool[NDArray[np.bool_], "P"]:
        asked = self.asked[number]
        return np.asarray(np.arange(len(self.spans[number])) == (-1 if asked is None else asked))

    def values(self, kept: Sequence[Bool[NDArray[np.bool_], "N P"]]) -> list[Float[NDArray[np.float64], "N"]]:
        variants = [self.variants(number, rows) for number, rows in enumerate(kept)]
        encoded = self.language.encode([text for texts in variants for text in texts])
        asked = zip(variants, kept, strict=True)
        places = [self._counted(n, *each) for n, of in enumerate(asked) for each in zip(*of, strict=True)]
        read, which = _distinct(encoded, [last for _, last in places])
        bounds = self.language.model.bounds(read)
        each = np.split(self.bits(read), bounds[1:-1])
        sums = [each[row][first:last].sum() for row, (first, last) in zip(which.tolist(), places, strict=True)]
        return np.split(np.array(sums), np.cumsum([len(rows) for rows in kept]))[:-1]

    def sizes(self, number: int) -> Float[NDArray[np.float64], "P K"]:
        """Tokens, characters, and one for each part: a longer passage has more bits under any model, trained or not."""
        tokens = overlapping(self.language.tokenizer.spans(self.texts[number]), self.places(number))
        measures = [np.diff(tokens)[:, 0], np.diff(self.spans[number])[:, 0], np.ones(len(tokens))]
        return np.stack(measures, 1) * ~self.fixed(number)[:, None]

    def bits(self, encoded: Ragged) -> Float[NDArray[np.float64], "positions"]:
        """The surprisal at each position of texts in tokens."""
        return np.minimum(-self.language.model.logp(encoded) / BIT, IMPOSSIBLE)

    def places(self, number: int) -> Int[NDArray[np.int64], "P 2"]:
        """Where the parts of a text stand together with the white space before them."""
        ends = self.spans[number][:, 1]
        return np.stack([np.concatenate([[0], ends])[: len(ends)], ends], 1)

    def counted(self, number: int) -> tuple[int, int]:
        """Which positions of a text are asked for: the first, and the one after the last."""
        whole = np.ones(len(self.spans[number]), np.bool_)
        return self._counted(number, self.texts[number], whole)

    def _counted(self, number: int, variant: str, kept: Bool[NDArray[np.bool_], "P"]) -> tuple[int, int]:
        """Those of a variant."""
        asked, spans = self.asked[number], self.spans[number]
        if asked is None:
            return 0, _ALL
        sizes = np.diff(spans[:, 1], prepend=0) * kept
        first = int(kept.argmax())
        sizes[first] = spans[0, 0] + spans[first, 1] - spans[first, 0]  # as ``variants`` has it
        begin = int(sizes[:asked].sum())
        first, last = overlapping(self.language.tokenizer.spans(variant), np.array([begin, begin + int(sizes[asked])]))
        return int(first), int(last)


def overlapping(spans: Int[NDArray[np.int64], "T 2"], pieces: Int[NDArray[np.int64], "*N 2"]) -> Int[NDArray[np.int64], "*N 2"]:
    """Which tokens share a character with each piece of a text: the first, and the one after the last."""
    first = np.searchsorted(np.maximum.accumulate(spans[:, 1]), pieces[..., 0], "right")
    return np.stack([first, np.maximum(first, np.searchsorted(spans[:, 0], pieces[..., 1], "left"))], -1)


def _distinct(texts: Ragged, sizes: Sequence[int]) -> tuple[Ragged, NDArray[np.int64]]:
    """The beginnings of texts, ``sizes`` tokens of each, without repeats, and which of them each text has: what comes after a
    token has no part in its surprisal.
    """
    known, which = dict[bytes, int](), np.empty(len(texts), np.int64)
    for number, (begin, end, size) in enumerate(zip(texts.offsets[:-1].tolist(), texts.offsets[1:].tolist(), sizes, strict=True)):
        which[number] = known.setdefault(texts.ids[begin : min(begin + size, end)].tobytes(), len(known))
    ids = np.frombuffer(b"".join(known), texts.ids.dtype)
    lengths = np.fromiter(map(len, known), np.int64, len(known)) // texts.ids.itemsize
    return Ragged(ids, np.concatenate([[0], np.cumsum(lengths)])), which
