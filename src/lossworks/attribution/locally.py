"""Leave-one-out where a prediction looks back on a few tokens only: what a deletion changes is scored, and nothing else.

A deletion changes the tokens near it, and the predictions of the ``reach`` tokens after those. So a text of T tokens is told in
T (reach + 1) predictions, not in T readings of T.

Which tokens change, the tokenizer is asked: it reads a window of the text, with the part and without. The window is wide enough
if it gives the whole text's own tokens, and if those at its edges stay when the part is gone: what is merged beyond a border
that stands in both cannot depend on the part. Else it is widened, in the end to the whole text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..data import Ragged
from .deletion import MOST, UNLIKE, check_size
from .explanation import Division
from .language_texts import LanguageTexts, overlapping

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

_MARGIN = 3  # tokens on either side of a deletion that are read with it, at first
_FAR = 256  # tokens
_WIDER = 8  # times as many, where they were too few
_AT_ONCE = 1 << 18  # tokens of windows


@dataclass(slots=True)
class _Windows:
    """Of some parts: the tokens ``first`` to before ``last``, which the deletion may change, and those there without the part."""

    parts: Int[NDArray[np.int64], "N"]
    first: Int[NDArray[np.int64], "N"]
    last: Int[NDArray[np.int64], "N"]
    without: Ragged

    def some(self, rows: Int[NDArray[np.int64], "n"]) -> _Windows:
        """Those of ``rows``."""
        return _Windows(self.parts[rows], self.first[rows], self.last[rows], self.without.take(rows))


def leave_one_out_locally(texts: LanguageTexts, reach: int) -> list[Division]:
    """As ``leave_one_out``, under a model whose predictions look back on ``reach`` tokens."""
    return [_divide(texts, number, reach) for number in range(len(texts))]


def _divide(texts: LanguageTexts, number: int, reach: int) -> Division:
    whole = np.ones(len(texts.spans[number]), np.bool_)
    ((value, baseline),) = texts.some(number, number + 1).values([np.stack([whole, texts.fixed(number)])])
    text = _Text(texts, number, reach)
    shares = np.zeros(len(whole))
    for windows in text.windows(text.near(np.flatnonzero(~texts.fixed(number)))):
        shares[windows.parts] = text.lost(windows)
    return Division(float(value), float(baseline), shares, (UNLIKE,))


class _Text:
    """A text, its tokens, and their surprisals."""

    def __init__(self, texts: LanguageTexts, number: int, reach: int) -> None:
        self.texts, self.number, self.reach = texts, number, reach
        self.text, self.parts, self.asked = texts.texts[number], texts.spans[number], texts.asked[number]
        encoded = texts.language.encode([self.text])
        self.ids, self.bits = encoded.ids, texts.bits(encoded)
        spans = texts.language.tokenizer.spans(self.text)
        self.begins, self.ends = spans[:, 0], np.maximum.accumulate(spans[:, 1])
        inside = np.flatnonzero(self.begins[1:] >= self.ends[:-1]) + 1
        self.borders = np.concatenate([[0], inside, [len(self.ids)]])  # tokens before which the text may be cut
        self.counted = np.zeros(len(self.bits), np.bool_)
        self.counted[slice(*texts.counted(number))] = True

    def near(self, parts: Int[NDArray[np.int64], "N"]) -> Int[NDArray[np.int64], "n"]:
        """Those that may touch what is asked for: no deletion is taken to change tokens ``_FAR`` beyond it."""
        inside, (begin, end) = np.flatnonzero(self.counted), self._deleted(parts)
        if self.asked is None or not len(inside):
            return parts
        after = np.searchsorted(self.ends, begin, "right") - _FAR <= inside[-1]
        return np.asarray(parts[after & (np.searchsorted(self.begins, end, "left") + _FAR + self.reach >= inside[0])])

    def windows(self, parts: Int[NDArray[np.int64], "N"]) -> Iterator[_Windows]:
        """Of the deletions of some parts."""
        margin = _MARGIN
        while len(parts):
            if margin > MOST:
                check_size(self.number, len(parts))
            left = []
            for some in np.array_split(parts, -(-len(parts) * margin // _AT_ONCE)):
                windows, right = self._windows(some, margin)
                yield windows.some(np.flatnonzero(right))
                left.append(some[~right])
            parts, margin = np.concatenate(left), margin * _WIDER

    def lost(self, windows: _Windows) -> Float[NDArray[np.float64], "N"]:
        """What each deletion takes from the surprisal."""
        first, last, without = windows.first, windows.last, windows.without
        sizes = np.diff(without.offsets)
        before = np.minimum(first, self.reach)
        after = np.minimum(len(self.ids) - last, self.reach)
        changed = np.minimum(len(self.bits) - last, self.reach)  # the end of the text is a position, and no token
        columns = self.ids[_ranges(first - before, before)], without.ids, self.ids[_ranges(last, after)]
        read = _joined(columns, (before, sizes, after))
        bits = self.texts.bits(read)
        begins = self.texts.language.model.bounds(read)[:-1] + before
        rows = np.arange(len(first))
        new = bits[_ranges(begins, sizes)] * self._counted(windows)
        later = bits[_ranges(begins + sizes, changed)] * self.counted[_ranges(last, changed)]
        was = (self.bits * self.counted)[_ranges(first, last - first + changed)]
        return np.asarray(
            np.bincount(np.repeat(rows, last - first + changed), was, len(rows))
            - np.bincount(np.repeat(rows, sizes), new, len(rows))
            - np.bincount(np.repeat(rows, changed), later, len(rows))
        )

    def _windows(self, parts: Int[NDArray[np.int64], "N"], margin: int) -> tuple[_Windows, Bool[NDArray[np.bool_], "N"]]:
        """Windows of ``margin`` tokens on either side, and which of them are wide enough."""
        begin, end = self._deleted(parts)
        first = np.searchsorted(self.ends, begin, "right") - margin
        last = np.searchsorted(self.begins, end, "left") + margin
        first = self.borders[np.searchsorted(self.borders, np.maximum(first, 0), "right") - 1]
        last = self.borders[np.searchsorted(self.borders, np.minimum(last, len(self.ids)), "left")]
        texts = [self._around(*each) for each in zip(first.tolist(), last.tolist(), begin.tolist(), end.tolist(), strict=True)]
        both = self.texts.language.encode([text for pair in texts for text in pair])
        given, without = (both.take(np.arange(kind, len(both), 2)) for kind in (0, 1))
        return _Windows(parts, first, last, without), self._agree(first, last, given, without)

    def _agree(
        self, first: Int[NDArray[np.int64], "N"], last: Int[NDArray[np.int64], "N"], given: Ragged, without: Ragged
    ) -> Bool[NDArray[np.bool_], "N"]:
        """Whether windows tell what the whole text would: see above."""
        right = np.diff(given.offsets) == last - first
        same = self.ids[_ranges(first[right], (last - first)[right])] == given.take(np.flatnonzero(right)).ids
        right[right] = np.bincount(np.repeat(np.arange(right.sum()), (last - first)[right]), ~same, right.sum()) == 0
        some = np.diff(without.offsets) > 0
        begins, ends = without.offsets[:-1], np.maximum(without.offsets[1:] - 1, 0)
        for at_edge, tokens, places in ((first == 0, first, begins), (last == len(self.ids), last - 1, ends)):
            look = right & some & ~at_edge
            right &= at_edge | some
            right[look] &= self.ids[tokens[look]] == without.ids[places[look]]
        return np.asarray(right | ((first == 0) & (last == len(self.ids))))

    def _deleted(self, parts: Int[NDArray[np.int64], "N"]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The characters that go with each part, as ``Texts.variants`` has it: white space before it, after the first part."""
        ends = np.concatenate([[0], self.parts[:, 1]])
        begin, end = ends[parts], ends[parts + 1]
        if len(parts) and parts[0] == 0:
            begin[0], end[0] = (self.parts[0, 0], self.parts[1, 0]) if len(self.parts) > 1 else (0, end[0])
        return begin, end

    def _around(self, first: int, last: int, begin: int, end: int) -> tuple[str, str]:
        """The text of the tokens ``first`` to before ``last``, and it without the characters ``begin`` to before ``end``."""
        left = int(self.begins[first]) if first else 0
        right = int(self.ends[last - 1]) if last < len(self.ids) else len(self.text)
        return self.text[left:right], self.text[left:begin] + self.text[end:right]

    def _counted(self, windows: _Windows) -> Bool[NDArray[np.bool_], "tokens"]:
        """Which of the tokens without a part are asked for."""
        if self.asked is None:
            return np.ones(len(windows.without.ids), np.bool_)
        found = np.zeros(len(windows.without.ids), np.bool_)
        inside = np.flatnonzero(self.counted)
        begin, end = self._deleted(windows.parts)
        for row in np.flatnonzero((windows.first <= inside[-1]) & (windows.last > inside[0])).tolist() if len(inside) else ():
            first, last, offset = int(windows.first[row]), int(windows.last[row]), int(windows.without.offsets[row])
            _, text = self._around(first, last, int(begin[row]), int(end[row]))
            shift = int(self.begins[first]) if first else 0
            at, to = self.texts.places(self.number)[self.asked].tolist()
            gone = int(end[row] - begin[row])
            if windows.parts[row] < self.asked:
                at, to = (0 if self.asked == 1 and windows.parts[row] == 0 else at - gone), to - gone
            at, to = overlapping(self.texts.language.tokenizer.spans(text), np.array([at - shift, to - shift]))
            found[offset + at : offset + to] = True
        return found


def _ranges(first: Int[NDArray[np.int64], "N"], sizes: Int[NDArray[np.int64], "N"]) -> Int[NDArray[np.int64], "total"]:
    """The numbers from ``first`` on, so many of each, end to end."""
    ends = np.cumsum(sizes)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(first - ends + sizes, sizes)


def _joined(columns: Sequence[NDArray[np.unsignedinteger]], sizes: Sequence[NDArray[np.int64]]) -> Ragged:
    """Rows that are made of one stretch of each column."""
    offsets = np.concatenate([[0], np.cumsum(sum(sizes))])
    ids, at = np.empty(offsets[-1], columns[0].dtype), offsets[:-1]
    for column, size in zip(columns, sizes, strict=True):
        ids[_ranges(at, size)] = column
        at = at + size
    return Ragged(ids, offsets)
