"""What a text is divided into: words, characters, or the model's own tokens, as spans of its characters."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import regex
from numba import njit
from numpy.typing import NDArray

from ..core.errors import UnknownName, UsageError
from ..core.threads import share
from ..tokens.characters import LETTER, LIMIT, SPACE, classes, points
from ..tokens.graphemes import CLUSTER

if TYPE_CHECKING:
    from jaxtyping import Float, Int

BY = ("word", "char", "token")
"""What a text may be divided by."""
_JOINING = ("Extend", "ZWJ", "SpacingMark", "Prepend", "RI", "L", "V", "T")  # Unicode's names: UAX 29, table 2
_JOINS = regex.compile("[" + "".join(rf"\p{{GCB={kind}}}" for kind in _JOINING) + "]")
Spans = Callable[[str], NDArray[np.int64]]
Offsets = tuple[NDArray[np.int64], NDArray[np.int64]]
_NONE = np.empty((0, 2), np.int64)


def spans_of(text: str, by: str, tokens: Spans | None) -> Int[NDArray[np.int64], "P 2"]:
    """Where the parts of a text stand; arguments and errors as of ``spans_in``."""
    return spans_in([text], by, tokens)[0]


def spans_in(texts: Sequence[str], by: str, tokens: Spans | None) -> list[Int[NDArray[np.int64], "P 2"]]:
    """Where the parts of texts stand: the first character of each, and the one after its last.

    Every visible character is in one part, and there is none of white space alone.

    Args:
        texts: any texts; an empty one has no parts.
        by: "word": a run of letters and digits, a character of a script without spaces, or another visible character;
            "char": what a reader takes for one character (Unicode's extended grapheme cluster); "token": the model's own.
        tokens: spans of the model's tokens; None: it has none. Tokens that share a character are one part.

    Raises:
        UsageError: the model has no tokens, or ``by`` is unknown.
    """
    if by not in BY:
        raise UnknownName("division of a text", by, BY)
    if by == "token":
        if tokens is None:
            raise UsageError("this model reads hashed n-grams and has no tokens. Divide its texts by word or char.")
        return [_whole(tokens(text), text) for text in texts]
    codes, starts = points(texts)
    kinds, begins = classes()[codes], np.ones(len(codes), np.bool_)
    for number in np.unique(np.searchsorted(starts, np.flatnonzero(_joining()[codes]), "right") - 1).tolist():
        begins[starts[number] : starts[number + 1]] = False
        begins[[starts[number] + found.start() for found in CLUSTER.finditer(texts[number])]] = True
    if by == "word":
        begins[1:] &= (kinds[1:] != LETTER) | (kinds[:-1] != LETTER)
        begins[starts[:-1][starts[:-1] < len(codes)]] = True
    first = np.flatnonzero(begins)
    spans = np.stack([first, np.append(first[1:], len(codes))[: len(first)]], 1)
    spans = spans[np.logical_or.reduceat(kinds != SPACE, first) if len(first) else []]
    bounds = np.searchsorted(spans[:, 0], starts)
    spans -= np.repeat(starts[:-1], np.diff(bounds))[:, None]
    return [spans[begin:end] for begin, end in pairwise(bounds.tolist())]


@functools.cache
def _joining() -> NDArray[np.bool_]:
    """Which code points join others in a cluster; the ends of lines do too, but are in no part."""
    table = np.zeros(LIMIT, np.bool_)
    for first, last in ((0, 0x20000), (0xE0000, 0xE1000)):  # the planes that have such
        table[[first + found.start() for found in _JOINS.finditer("".join(map(chr, range(first, last))))]] = True
    return table


def divided(
    amounts: NDArray[np.float64], places: NDArray[Any], which: Offsets, texts: Sequence[str], spans: Sequence[NDArray[np.int64]]
) -> list[Float[NDArray[np.float64], "P"]]:
    """The shares of each text's parts in amounts that belong to places of it.

    An amount is shared equally among the visible characters of its place, and a part gets what its characters have. What is on
    none goes to the next part, or else to the last.

    Args:
        amounts, places: of each the first character and the one after its last, in all texts end to end.
        which: where each text's amounts begin, and how many they are.
        texts, spans: and their parts, as of ``spans_in``.
    """
    codes, begins = points(texts)
    bounds = np.cumsum([0, *map(len, spans)])
    shares, visible = np.zeros(bounds[-1]), classes()[codes] != SPACE
    arguments = (amounts, places, *which, begins, visible, np.concatenate([_NONE, *spans]), bounds, shares)
    share(_divide, len(amounts), *arguments)
    return [shares[begin:end] for begin, end in pairwise(bounds.tolist())]


@njit(cache=True, nogil=True)
def _divide(part, parts, amounts, places, starts, lengths, begins, visible, spans, bounds, shares):  # type: ignore[no-untyped-def]
    texts = len(lengths)
    for text in range(texts * part // parts, texts * (part + 1) // parts):
        begin, own, mine = begins[text], spans[bounds[text] : bounds[text + 1]], shares[bounds[text] : bounds[text + 1]]
        owner = np.full(begins[text + 1] - begin, -1)
        for number in range(len(own)):
            for character in range(own[number, 0], own[number, 1]):
                owner[character] = number if visible[begin + character] else -1
        for place in range(starts[text], starts[text] + lengths[text] if len(own) else 0):
            first, last, among = places[place, 0] - begin, places[place, 1] - begin, 0
            for character in range(first, last):
                among += owner[character] >= 0
            if among == 0:
                mine[min(np.searchsorted(own[:, 1], first, "right"), len(own) - 1)] += amounts[place]
            for character in range(first, last if among else first):
                if owner[character] >= 0:
                    mine[owner[character]] += amounts[place] / among


def _whole(spans: NDArray[np.int64], text: str) -> NDArray[np.int64]:
    """Spans that overlap as one, and none of white space alone."""
    ends = np.maximum.accumulate(spans[:, 1]) if len(spans) else spans[:, 1]
    first = np.flatnonzero(np.append(True, spans[1:, 0] >= ends[:-1])[: len(spans)])
    merged = np.stack([spans[first, 0], ends[np.append(first[1:], len(spans))[: len(first)] - 1]], 1)
    visible = np.append(0, np.cumsum(classes()[points([text])[0]] != SPACE))
    return np.asarray(merged[visible[merged[:, 1]] > visible[merged[:, 0]]])
