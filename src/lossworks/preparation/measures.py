"""What quality rules look at, measured in one compiled pass over the bytes of each text."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..core.threads import share
from ..tokens.characters import LETTER, LIMIT, SINGLE, classes
from ..tokens.hashing import FNV_OFFSET, FNV_PRIME, mix
from .characters import UNIT, decode, letters
from .texts import Texts

COLUMNS = (
    "characters", "visible", "letters", "words", "runs", "run_letters", "unspaced", "symbols", "sentences", "braces", "lorem",
    "lines", "bullets", "ellipses", "short_lines", "ended_lines", "repeated_lines", "repeated_line_letters", "token_letters",
)  # fmt: skip
_REPEATED, _TOKENS = COLUMNS.index("repeated_lines"), COLUMNS.index("token_letters")
_SHORT_LINE = 30
_WHITE, _NUMBER, _RUN, _UNSPACED, _STOP, _QUOTE, _BULLET, _DOT, _OTHER = range(9)
_MARKS = {_STOP: "!?。！？｡।॥؟۔։።⸮‼⁇⁈⁉", _QUOTE: "\"'”’»」』）)", _BULLET: "-*•‣◦–—●○■▪·", _DOT: ".…"}
_ENDS, _WORD = (_STOP, _QUOTE, _DOT), (_RUN, _NUMBER)
_LOREM = np.frombuffer(b"lorem ipsum", np.uint8)


Measures = Mapping[str, NDArray[np.float64]]
"""One number of each kind for each text: ``measures["words"]`` is a float64 [N]."""


def measure(texts: Texts, ngrams: Iterable[str] = ()) -> Measures:
    """Measure every text.

    Args:
        texts: what is measured.
        ngrams: what to measure besides ``COLUMNS``: "top2", the letters in the most frequent 2-gram of tokens; "repeated5", those
            in 5-grams that stood before.
    """
    lengths = {name: int(name.removeprefix("top").removeprefix("repeated")) for name in ngrams}
    asked = sorted(lengths, key=lambda name: (lengths[name], name))
    found = np.zeros((len(texts), len(COLUMNS) + len(asked)))
    sizes = np.array([lengths[name] for name in asked], np.int64)
    top = np.array([name.startswith("top") for name in asked], np.bool_)
    share(_measure_all, len(texts.bytes), texts.bytes, texts.offsets, _kinds(), sizes, top, found)
    return dict(zip([*COLUMNS, *asked], np.ascontiguousarray(found.T), strict=True))


@functools.cache
def _kinds() -> NDArray[np.uint8]:
    """The kind of every code point, and above these 4 bits its weight in a shingle."""
    own = classes()
    table = np.full(LIMIT, _OTHER, np.uint8)
    table[own == LETTER] = _RUN
    table[own == SINGLE] = _UNSPACED
    table[[code for code in range(0x20000) if chr(code).isspace()]] = _WHITE
    table[[code for code in range(0x20000) if chr(code).isnumeric() and own[code] == LETTER]] = _NUMBER
    for kind, marks in _MARKS.items():
        table[[ord(mark) for mark in marks if own[ord(mark)] != LETTER]] = kind
    weights = (letters() >> np.uint32(21)).astype(np.uint8)
    return table | weights << np.uint8(4)


@njit(cache=True, nogil=True)
def _measure_all(part, parts, bytes, offsets, kinds, ngrams, top, found):  # type: ignore[no-untyped-def]
    texts = len(found)
    first, last = texts * part // parts, texts * (part + 1) // parts
    longest = 0
    for text in range(first, last):
        longest = max(longest, offsets[text + 1] - offsets[text])
    tokens, lines = np.empty((2, longest + 1), np.uint64), np.empty((2, longest + 1), np.uint64)  # hashes and lengths
    table, counts = np.empty(16, np.uint64), np.empty(16, np.int64)
    for text in range(first, last):
        own = found[text]
        count, rows = _read(bytes, offsets[text], offsets[text + 1], kinds, tokens, lines, own)
        while len(table) < 2 * max(count, rows):
            table, counts = np.empty(2 * len(table), np.uint64), np.empty(2 * len(table), np.int64)
        own[_REPEATED], own[_REPEATED + 1] = _repeated(lines[:, :rows], 1, table)
        for k in range(len(ngrams)):
            if top[k]:
                letters = _top(tokens[:, :count], ngrams[k], table, counts)
            else:
                letters = _repeated(tokens[:, :count], ngrams[k], table)[1]
            if letters == 0:  # then nothing longer stands twice
                break
            own[_TOKENS + 1 + k] = letters


@njit(cache=True, nogil=True)
def _read(bytes, i, stop, kinds, tokens, lines, own):  # type: ignore[no-untyped-def]
    """What one pass tells, to ``own``; the text's tokens and lines, each a hash and a length; how many there are of both."""
    characters = visible = letters = runs = run_letters = symbols = sentences = braces = lorem = 0
    bullets = ellipses = short = ended = count = rows = dense = unspaced = 0
    run, run_hash, line_hash, solid_hash, wide, dots = 0, np.uint64(0), np.uint64(0), np.uint64(0), 0, 0
    opening, before = _WHITE, _WHITE  # the kinds of a line's first and last visible characters
    last = _WHITE  # the kind of the last character
    while i <= stop:
        begin, over = i, i == stop
        code = np.uint32(0x0A)
        if over:
            i += 1
        else:
            code, i = decode(bytes, i, stop)
            characters += 1
        entry = kinds[code]
        kind, weight = entry & 15, entry >> 4
        if run and kind not in _WORD:
            tokens[0, count], tokens[1, count] = mix(run_hash), run
            count, runs, run = count + 1, runs + 1, 0
        if kind == _WHITE:
            sentences += last == _DOT
            last = _WHITE
            line_hash = (line_hash ^ np.uint64(code)) * FNV_PRIME
            if code == 0x0A:
                if before != _WHITE:
                    lines[0, rows], lines[1, rows] = mix(solid_hash), wide
                    rows += 1
                    bullets += opening == _BULLET
                    ended += before in _ENDS
                    ellipses += dots >= 3
                    short += wide <= _SHORT_LINE
                opening = before = _WHITE
                line_hash, wide, dots = FNV_OFFSET, 0, 0
            elif before != _WHITE:
                wide += 1
            continue
        visible += 1
        wide += 2 if kind == _UNSPACED and weight > UNIT else 1
        if before == _WHITE:
            opening, line_hash = kind, FNV_OFFSET
        solid_hash = line_hash = (line_hash ^ np.uint64(code)) * FNV_PRIME
        dots = 3 if code == 0x2026 else dots + 1 if code == 0x2E else 0
        symbols += code == 0x23 or code == 0x2026 or (dots == 3 and code == 0x2E)
        braces += code == 0x7B
        if kind in _WORD:
            run_hash = ((FNV_OFFSET if run == 0 else run_hash) ^ np.uint64(code)) * FNV_PRIME
            run += 1
            run_letters += 1
            letters += kind == _RUN
            lorem += (code | 0x20) == 0x6C and _stands(bytes, begin, stop)
        elif kind == _UNSPACED:
            tokens[0, count], tokens[1, count] = mix(np.uint64(code)), 1
            count, letters, unspaced, dense = count + 1, letters + 1, unspaced + 1, dense + (weight > UNIT)
        sentences += kind == _STOP and last != _STOP
        before = last = kind
    words = runs + dense / 2 + (unspaced - dense) / 4
    own[0], own[1], own[2], own[3], own[4], own[5] = characters, visible, letters, words, runs, run_letters
    own[6], own[7], own[8], own[9], own[10], own[11] = unspaced, symbols, sentences, braces, lorem, rows
    own[12], own[13], own[14], own[15], own[_TOKENS] = bullets, ellipses, short, ended, run_letters + unspaced
    return count, rows


@njit(cache=True, nogil=True)
def _stands(bytes, i, stop):  # type: ignore[no-untyped-def]
    """Whether "lorem ipsum" stands at byte ``i``, in any case."""
    if i + len(_LOREM) > stop:
        return False
    for k in range(len(_LOREM)):  # noqa: SIM110  # compiled code has no all() of a generator
        if (bytes[i + k] | 0x20) != _LOREM[k]:
            return False
    return True


@njit(cache=True, nogil=True)
def _gram(items, first, n):  # type: ignore[no-untyped-def]
    """The hash of ``n`` items, never 0, and their length."""
    whole, length = np.uint64(0), np.uint64(0)
    for k in range(first, first + n):
        whole = whole * FNV_PRIME + items[0, k]
        length += items[1, k]
    return mix(whole) | np.uint64(1), length


@njit(cache=True, nogil=True)
def _cleared(table, count):  # type: ignore[no-untyped-def]
    """Empty as much of the table as so many entries need; the mask of places in it."""
    size = 16
    while size < 2 * count:
        size *= 2
    table[:size] = 0
    return size - 1


@njit(cache=True, nogil=True)
def _repeated(items, n, table):  # type: ignore[no-untyped-def]
    """How many n-grams stood before, passing over what is in one, and how long they are together."""
    mask, i, found, letters = _cleared(table, items.shape[1]), 0, 0, np.uint64(0)
    while i + n <= items.shape[1]:
        gram, length = _gram(items, i, n)
        at = np.int64(gram >> np.uint64(32)) & mask
        while table[at] and table[at] != gram:
            at = (at + 1) & mask
        if table[at]:
            found, letters, i = found + 1, letters + length, i + n
        else:
            table[at] = gram
            i += 1
    return found, letters


@njit(cache=True, nogil=True)
def _top(items, n, table, counts):  # type: ignore[no-untyped-def]
    """How long all the places of the n-gram are together that has most; 0 if none stands twice."""
    mask, most = _cleared(table, items.shape[1]), np.uint64(0)
    for i in range(items.shape[1] - n + 1):
        gram, length = _gram(items, i, n)
        at = np.int64(gram >> np.uint64(32)) & mask
        while table[at] and table[at] != gram:
            at = (at + 1) & mask
        counts[at] = counts[at] + 1 if table[at] else 1
        table[at] = gram
        if counts[at] > 1:
            most = max(most, np.uint64(counts[at]) * length)
    return most
