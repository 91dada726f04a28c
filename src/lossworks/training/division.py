"""From corpora to the parts of a language model: split by texts, or one stream at two places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UsageError
from ..data import TEST, TRAIN, VALID, Corpus, Languages, TextLanguages, split
from .assembling import FEWEST_TO_HOLD_OUT, MOST_TEST, MOST_VALID
from .balancing import rates
from .settings import Settings

_MOST_CHARACTERS = 20_000_000  # of a stream, to validate or to test on, likewise
_FEWEST_CHARACTERS = 1000
"""A stream with fewer is trained on whole: a metric of the rest would say nothing."""


@dataclass(slots=True)
class Division:
    """Which texts are of which part: ``parts`` [rows], or of a stream the parts' ``spans`` of characters, in their order.
    ``rates``: how often training texts of each language are drawn in a pass [L]; None: once, all of them.
    """

    corpora: Sequence[Corpus]
    fixed: Sequence[int | None]
    parts: NDArray[np.uint8] | None
    spans: dict[int, tuple[int, int]]
    rates: NDArray[np.float64] | None = None

    def blocks(self, part: int, times: NDArray[np.int64] | None = None) -> Iterator[list[str]]:
        """The texts of a part, some MB at a time; of a stream its pieces. ``times``: how often each is read [texts]."""
        row, read = 0, 0
        for corpus, fixed in zip(self.corpora, self.fixed, strict=True):
            if self.parts is None:
                span = self.spans[part] if fixed is None else (0, _characters(corpus)) if fixed == part else (0, 0)
                yield from _cut(corpus, *span)
                continue
            for texts in corpus.blocks():
                chosen = np.flatnonzero(self.parts[row : row + len(texts)] == part)
                row, read = row + len(texts), read + len(chosen)
                if times is not None:
                    chosen = np.repeat(chosen, times[read - len(chosen) : read])
                yield [texts[i] for i in chosen]

    def languages(self, part: int) -> Languages | None:
        """Of the texts of a part, where they are told apart."""
        languages = None if self.parts is None else Languages.together(self.corpora)
        return None if languages is None else languages.take(np.flatnonzero(self.parts == part))

    def text_languages(self) -> TextLanguages | None:
        """Those of the training texts as training goes by them, where they are told apart."""
        languages = None if self.parts is None else Languages.together(self.corpora)
        if languages is None:
            return None
        return TextLanguages(languages.of_row[self.parts == TRAIN], len(languages.names), self.rates)

    def balanced(self, balance: str | None) -> Division:
        """The same with languages drawn by a balance: by how many characters they have, whatever the tokens are."""
        languages = None if balance is None else Languages.together(self.corpora)
        if languages is None or self.parts is None:
            return replace(self, rates=None)
        lengths = (len(text) for corpus in self.corpora for texts in corpus.blocks() for text in texts)
        sizes = np.fromiter(lengths, np.float64, len(self.parts))
        return replace(self, rates=rates(balance, languages, self.parts, sizes))


def divide(corpora: Sequence[Corpus], fixed: Sequence[int | None], settings: Settings) -> Division:
    """The parts: drawn at random where texts are apart, equal texts together; of a stream the shares at its end."""
    if settings.valid + settings.test >= 1:
        raise UsageError(f"cannot hold out valid={settings.valid}, test={settings.test}: wanted shares below 1 together.")
    main = corpora[0]
    valid, test = (0.0 if part in fixed else share for part, share in ((VALID, settings.valid), (TEST, settings.test)))
    if settings.document_unit == "file":
        return Division(corpora, fixed, None, _spans(main, valid, test))
    parts = [np.full(len(corpus), part or TRAIN, np.uint8) for corpus, part in zip(corpora, fixed, strict=True)]
    if len(main) >= FEWEST_TO_HOLD_OUT and valid + test > 0:
        most = len(main)
        parts[0] = split(main, None, min(valid, MOST_VALID / most), min(test, MOST_TEST / most), settings.seed)
    of_rows = np.concatenate(parts)
    return Division(corpora, fixed, of_rows, {}).balanced(settings.balance)


def _spans(main: Corpus, valid: float, test: float) -> dict[int, tuple[int, int]]:
    """The characters of each part of a stream; each begins with a line where it can."""
    total = _characters(main)
    most = 0.0 if total < _FEWEST_CHARACTERS else _MOST_CHARACTERS / total
    valid, test = min(valid, most), min(test, most)
    first, second = (_line_after(main, int(total * share), total) for share in (1 - valid - test, 1 - test))
    return {TRAIN: (0, first), VALID: (first, second), TEST: (second, total)}


def _characters(corpus: Corpus) -> int:
    return sum(len(piece) for pieces in corpus.blocks() for piece in pieces)


def _line_after(corpus: Corpus, place: int, total: int) -> int:
    """Where the first line begins from ``place`` on; ``place`` itself in a text that has no more lines."""
    for piece in _cut(corpus, max(place - 1, 0), total):
        end = piece[0].find("\n")
        return place if place in (0, total) or end < 0 else max(place - 1, 0) + end + 1
    return total


def _cut(corpus: Corpus, first: int, last: int) -> Iterator[list[str]]:
    """What of a stream's pieces lies between two characters."""
    at = 0
    for pieces in corpus.blocks():
        for piece in pieces:
            cut = piece[max(first - at, 0) : max(last - at, 0)]
            at += len(piece)
            if cut:
                yield [cut]
