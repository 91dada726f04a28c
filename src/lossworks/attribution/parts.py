"""What a text is divided into: words, characters, or the model's own tokens, as spans of its characters."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import regex
from numpy.typing import NDArray

from ..core.errors import UnknownName, UsageError
from ..tokens.characters import LETTER, SPACE, classes, points

if TYPE_CHECKING:
    from jaxtyping import Int

BY = ("word", "char", "token")
"""What a text may be divided by."""
_CLUSTER = regex.compile(r"\X")
Spans = Callable[[str], NDArray[np.int64]]


def spans_of(text: str, by: str, tokens: Spans | None) -> Int[NDArray[np.int64], "P 2"]:
    """Where the parts of a text stand: the first character of each, and the one after its last. White space is in no word.

    Args:
        text: any text; an empty one has no parts.
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
        return _whole(tokens(text), text)
    kinds = classes()[points([text])[0]]
    begins = _clusters(text)
    if by == "word":
        begins[1:] &= (kinds[1:] != LETTER) | (kinds[:-1] != LETTER)
    first = np.flatnonzero(begins)
    spans = np.stack([first, np.append(first[1:], len(text))[: len(first)]], 1)
    return np.asarray(spans[kinds[first] != SPACE])


def _clusters(text: str) -> NDArray[np.bool_]:
    """At which characters a cluster begins."""
    if text.isascii():
        return np.ones(len(text), np.bool_)
    begins = np.zeros(len(text), np.bool_)
    begins[[found.start() for found in _CLUSTER.finditer(text)]] = True
    return begins


def _whole(spans: NDArray[np.int64], text: str) -> NDArray[np.int64]:
    """Spans that overlap as one, and none of white space alone."""
    ends = np.maximum.accumulate(spans[:, 1]) if len(spans) else spans[:, 1]
    first = np.flatnonzero(np.append(True, spans[1:, 0] >= ends[:-1])[: len(spans)])
    merged = np.stack([spans[first, 0], ends[np.append(first[1:], len(spans))[: len(first)] - 1]], 1)
    return merged[[bool(text[begin:end].strip()) for begin, end in merged.tolist()]]
