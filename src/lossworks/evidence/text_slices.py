"""Parts of a data set that can be said in a few words: texts of some length, script or look, with a word, of a label.

None of them is chosen by looking at a loss, so whichever losses they are tested on, a test of each keeps its level.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics.contrast import FEWEST
from ..tokens.ngrams import hashed_ngrams, words_in
from ..tokens.scripts import FIRST, script_counts, scripts

WORDS = 1000
"""Words looked at, the most frequent."""
_BANDS = 4
_BITS = 32  # half of the buckets are words': two words share one once in 2^31
_LETTERS, _ADDRESS = re.compile(r"[^\W\d_]{2,}"), re.compile(r"https?://|www\.", re.IGNORECASE)

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Slice:
    """The ``rows`` [n], rising, that a word or two describe: what ``kind`` of description it is, and which."""

    kind: str
    name: str
    rows: Ints


_LOOKS: dict[str, Callable[[str], object]] = {
    "with a digit": re.compile(r"\d").search,
    "with a web address": _ADDRESS.search,
    "with a word in capitals": lambda text: any(map(str.isupper, _LETTERS.findall(text))),
    "with characters beyond ASCII": lambda text: not text.isascii(),
}


def of_texts(blocks: Iterable[Sequence[str]]) -> list[Slice]:
    """Slices by length, script, look and word, of blocks of texts that are the rows."""
    lengths, words, row = [np.empty(0, np.int64)], _Words(), 0
    written, names = defaultdict[str, list[int]](list), list(scripts().values())[FIRST:]
    looks: dict[str, list[int]] = {name: [] for name in _LOOKS}
    for texts in blocks:
        lengths.append(np.fromiter(map(len, texts), np.int64, len(texts)))
        counts = script_counts(texts)[:, FIRST:]
        main = counts.argmax(1)
        for text in np.flatnonzero(2 * counts.max(1) > counts.sum(1)).tolist():
            written[names[main[text]]].append(row + text)
        words.add(texts, row)
        for name, has in _LOOKS.items():
            looks[name] += [row + number for number, text in enumerate(texts) if has(text)]
        row += len(texts)
    found = bands("length", np.concatenate(lengths), "characters")
    found += [Slice("script", name, np.array(rows)) for name, rows in written.items()]
    found += [Slice("text", name, np.array(rows, np.int64)) for name, rows in looks.items()]
    return [*found, *words.slices()]


def of_answers(kind: str, answers: Sequence[Any]) -> list[Slice]:
    """A slice for each label among answers (labels, sets of them, or numbers, which come in bands), the most frequent first."""
    if answers and isinstance(answers[0], float):
        return bands(kind, np.array(answers))
    rows = defaultdict[str, list[int]](list)
    for row, answer in enumerate(answers):
        for label in (answer or ("none",)) if isinstance(answer, tuple) else (answer,):
            rows[str(label)].append(row)
    found = [Slice(kind, label, np.array(of)) for label, of in rows.items()]
    return sorted(found, key=lambda each: -len(each.rows))


def bands(kind: str, values: NDArray[Any], unit: str = "") -> list[Slice]:
    """The rows in four parts by a value of each, about as many in each, alike ones in one; nothing where that is all of them."""
    ends = np.unique(np.quantile(values, np.arange(1, _BANDS + 1) / _BANDS, method="higher")) if len(values) else values
    band, found = np.searchsorted(ends, values), []
    for number in range(len(ends) if len(ends) > 1 else 0):
        rows = np.flatnonzero(band == number)
        low, high = (f"{end:,.6g}" for end in (values[rows].min(), values[rows].max()))
        found.append(Slice(kind, f"{low if low == high else f'{low} to {high}'} {unit}".strip(), rows))
    return found


class _Words:
    """Which texts have which words, case aside: runs of letters and digits, characters of scripts without spaces, and marks."""

    def __init__(self) -> None:
        self._pairs: list[NDArray[np.uint64]] = [np.empty(0, np.uint64)]
        self._spelled: dict[int, str] = {}
        self._counts = defaultdict[int, int](int)

    def add(self, texts: Sequence[str], row: int) -> None:
        buckets, starts = hashed_ngrams(texts, 1, 0, _BITS)
        text = np.repeat(np.arange(len(texts), dtype=np.uint64), np.diff(starts))
        pairs, first = np.unique(buckets.astype(np.uint64) << np.uint64(32) | text + np.uint64(row), return_index=True)
        self._pairs.append(pairs)
        found, at, counts = np.unique(pairs >> np.uint64(32), return_index=True, return_counts=True)
        for bucket, place, count in zip(found.tolist(), first[at].tolist(), counts.tolist(), strict=True):
            self._counts[bucket] += count
            if bucket not in self._spelled and self._counts[bucket] >= FEWEST:
                number = int(np.searchsorted(starts, place, "right")) - 1
                self._spelled[bucket] = next(islice(words_in(texts[number]), place - int(starts[number]), None))

    def slices(self) -> list[Slice]:
        """One for each of the most frequent words."""
        order = sorted(self._spelled, key=lambda bucket: (-self._counts[bucket], self._spelled[bucket]))[:WORDS]
        wanted = np.array(order, np.uint64)
        pairs = np.sort(np.concatenate([some[np.isin(some >> np.uint64(32), wanted)] for some in self._pairs]))
        found = []
        for bucket in order:
            first, last = np.searchsorted(pairs, np.array([bucket, bucket + 1], np.uint64) << np.uint64(32))
            rows = (pairs[first:last] & np.uint64(0xFFFFFFFF)).astype(np.int64)
            found.append(Slice("word", self._spelled[bucket], rows))
        return found
