"""The parts in tokens, in files; the tokenizer trained on the training part."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import tokens
from ..core.errors import DataError
from ..core.seeds import generator
from ..data import PARTS, TEST, TRAIN, Languages, Ragged, TokenFile
from ..data.formats import prepared
from ..engine import Callbacks
from ..metrics import SegmentCounts, count_segments
from ..metrics.segments import Blocks, unknown_of
from ..tokens import Tokenizer
from .division import Division
from .settings import Settings

_TEXTS_AT_ONCE = 1 << 14


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
        parts[part] = _named(division, part, found)
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
    return _named(fewer, TEST, in_tokens(partial(fewer.blocks, TEST), tokenizer, scratch, "tested", whole=parts is None))


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


def _named(division: Division, part: int, encoded: Encoded) -> Encoded:
    """An ``encoded`` part with its texts' languages."""
    languages = division.languages(part)
    if languages is None:
        return encoded
    keys = np.concatenate([corpus.keys for corpus in division.corpora])
    return replace(encoded, languages=languages, keys=keys[division.parts == part])


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
