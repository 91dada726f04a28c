"""From corpora to parts in tokens: split by texts, or one stream at two places; the tokenizer trained on the training part."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import tokens
from ..core.errors import DataError, UsageError
from ..core.seeds import generator
from ..data import PARTS, TEST, TRAIN, VALID, Corpus, Languages, Ragged, TextLanguages, TokenFile, split
from ..data.formats import prepared
from ..engine import Callbacks
from ..metrics import SegmentCounts, count_segments
from ..metrics.segments import Blocks, unknown_of
from ..tokens import Tokenizer
from .balancing import rates
from .dataset import FEWEST_TO_HOLD_OUT, MOST_TEST, MOST_VALID
from .settings import Settings

_MOST_CHARACTERS = 20_000_000  # of a stream, to validate or to test on, likewise
_TEXTS_AT_ONCE = 1 << 14
_FEWEST_CHARACTERS = 1000
"""A stream with fewer is trained on whole: a metric of the rest would say nothing."""

_A_WORD, _MANY = 20, 0.08
"""Characters of a word, and the share of a text's characters that stand in longer ones from which on its words are not parted by
spaces: of 205 languages those with spaces have at most 0.06, and the others 0.11 or more."""
UNSPACED = "tokens are characters, for in some of the texts no spaces stand between words; --tokenizer words says otherwise"


@dataclass(slots=True)
class Encoded:
    """A part in tokens. ``bytes``: of each text, in UTF-8; ``blocks``: the texts themselves, again; ``languages``, where they are
    told apart, and with them ``keys``, equal for equal texts.
    """

    texts: Ragged
    bytes: NDArray[np.int64]
    blocks: Blocks
    languages: Languages | None = None
    keys: NDArray[np.uint64] | None = None

    def units(self, tokenizer: Tokenizer, ends: bool) -> SegmentCounts:
        """What intervals of metrics are over: the texts, or segments of a single one."""
        return count_segments(self.texts.offsets, ends, self.bytes, *unknown_of(self.texts, tokenizer, self.blocks))


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

    def named(self, part: int, encoded: Encoded) -> Encoded:
        """An ``encoded`` part with its texts' languages."""
        languages = self.languages(part)
        if languages is None:
            return encoded
        keys = np.concatenate([corpus.keys for corpus in self.corpora])
        return replace(encoded, languages=languages, keys=keys[self.parts == part])


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


def encode(
    division: Division, settings: Settings, callbacks: Callbacks, scratch: Path, known: Tokenizer | None = None
) -> tuple[Tokenizer, dict[int, Encoded]]:
    """The tokenizer, trained where it is neither ``known`` nor given, and every part in tokens, in files in ``scratch``."""
    chosen = known or tokens.named(settings.tokenizer or "")
    whole = settings.document_unit == "file"
    rows = sum(map(len, division.corpora))
    if isinstance(chosen, Tokenizer):
        tokenizer = chosen
    else:
        told, drawn = division.languages(TRAIN), division.text_languages()
        times = None if drawn is None else drawn.times(settings.seed)
        names = None if told is None else [told.names[n] for n in np.repeat(told.of_row, 1 if times is None else times)]
        tokenizer = chosen.learn(
            division.blocks(TRAIN, times), lambda read: callbacks.watch("tokens", {"rows": min(read, rows), "of": rows}), names
        )
    parts, done = {}, 0
    for part, name in enumerate(PARTS):
        before = done

        def tell(read: int, before: int = before) -> None:
            callbacks.watch("read", {"rows": before + read, "of": rows})

        found = _written(division, part, tokenizer, scratch, name)
        found = found or in_tokens(partial(division.blocks, part), tokenizer, scratch, name, whole=whole, tell=tell)
        parts[part] = division.named(part, found)
        done += len(parts[part].texts)
    if not len(parts[TRAIN].texts.ids):
        raise DataError(f"{division.corpora[0].source}: the training part holds no tokens, so there is nothing to learn.")
    unknown = tokenizer.vocabulary.unknown
    if unknown is not None and (parts[TRAIN].texts.ids == unknown).all():
        raise DataError(
            f"{division.corpora[0].source}: the tokenizer {settings.tokenizer} knows none of the training tokens. "
            "Lower its min_count, or choose another --tokenizer."
        )
    return tokenizer, parts


def encode_fewer(division: Division, share: float, settings: Settings, tokenizer: Tokenizer, scratch: Path) -> Encoded:
    """A share of the test part that was drawn, in tokens: some of its texts at random, or the first part of a stream's."""
    spans, parts = dict(division.spans), division.parts
    if parts is None:
        first, last = spans[TEST]
        spans[TEST] = first, first + math.ceil(share * (last - first))
    else:
        rows = generator(settings.seed, "tested").permutation(np.flatnonzero(parts == TEST))
        parts = parts.copy()
        parts[rows[math.ceil(share * len(rows)) :]] = len(PARTS)  # of none
    fewer = replace(division, parts=parts, spans=spans)
    return fewer.named(TEST, in_tokens(partial(fewer.blocks, TEST), tokenizer, scratch, "tested", whole=parts is None))


def in_tokens(
    blocks: Blocks,
    tokenizer: Tokenizer,
    scratch: Path,
    name: str,
    *,
    whole: bool,
    tell: Callable[[int], None] = lambda texts: None,
) -> Encoded:
    """Blocks of texts in tokens, in a file ``name`` in ``scratch``; ``whole``: as one text."""
    file, sizes, read = TokenFile(scratch, name, tokenizer.dtype, whole), [np.empty(0, np.int64)], 0
    for texts in blocks():
        file.append(*tokenizer.encode(texts))
        sizes.append(np.fromiter((len(text.encode()) for text in texts), np.int64, len(texts)))
        read += len(texts)
        tell(read)
    size, encoded = np.concatenate(sizes), file.finish()
    return Encoded(encoded, size.sum(keepdims=True)[: len(encoded)] if whole else size, blocks)


def _written(division: Division, part: int, tokenizer: Tokenizer, scratch: Path, name: str) -> Encoded | None:
    """A part as ``lossworks data prepare`` wrote it; None where some of it was not, or by another tokenizer."""
    if division.parts is None:
        return None
    digest, found, row = tokenizer.digest(), list[tuple[Ragged, NDArray[np.int64], NDArray[np.int64]]](), 0
    for corpus in division.corpora:
        rows = np.flatnonzero(division.parts[row : row + len(corpus)] == part)
        row, first = row + len(corpus), 0
        if not len(rows):
            continue
        for texts, sizes in prepared.tokens(corpus.source, digest):
            own = rows[rows.searchsorted(first) : rows.searchsorted(first + len(texts))] - first
            found.append((texts, own, sizes[own]))
            first += len(texts)
        if first != len(corpus) or corpus.composed:
            return None
    if not found:
        return None
    file = TokenFile(scratch, name, tokenizer.dtype, whole=False)
    for texts, own, _ in found:
        some = texts.take(own)
        file.append(some.ids, some.offsets)
    return Encoded(file.finish(), np.concatenate([sizes for _, _, sizes in found]), partial(division.blocks, part))


def unspaced(texts: Sequence[str]) -> bool:
    """Whether some of the texts have no spaces between words, as in Chinese, Japanese or Thai."""
    long = sum(len(word) for text in texts for word in text.split() if len(word) > _A_WORD)
    return long > _MANY * sum(map(len, texts))


def repeated(texts: Ragged, times: NDArray[np.int64] | None, scratch: Path) -> Ragged:
    """Texts, each as often as it is counted [texts], in a file in ``scratch``; ``times`` None: as they are."""
    if times is None:
        return texts
    order = np.repeat(np.arange(len(texts)), times)
    file = TokenFile(scratch, "drawn", texts.ids.dtype.type, whole=False)
    for first in range(0, len(order), _TEXTS_AT_ONCE):
        some = texts.take(order[first : first + _TEXTS_AT_ONCE])
        file.append(some.ids, some.offsets)
    return file.finish()


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
