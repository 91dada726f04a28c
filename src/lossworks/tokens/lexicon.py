"""Known words of any script: where texts hold them, by the library's notion of a word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .base import Encoded
from .characters import LETTER, SPACE, classes, points


def split_words(texts: Sequence[str]) -> tuple[list[str], NDArray[np.int64]]:
    """The words of texts end to end, and the N + 1 offsets at which each text's start.

    A word is a run of letters and digits, a single character of a script that is written without spaces, or a mark.
    """
    codes, starts = points(texts)
    kinds = classes()[codes]
    letter, at_start = kinds == LETTER, np.zeros(len(codes) + 1, np.bool_)
    at_start[starts] = True
    goes_on = np.r_[False, letter[1:] & letter[:-1]][: len(codes)] & ~at_start[:-1]  # from the code point before
    begin = np.flatnonzero(~goes_on & (kinds != SPACE))
    end = np.flatnonzero(np.r_[~goes_on[1:], True][: len(codes)] & (kinds != SPACE)) + 1
    joined = "".join(texts)
    words = [joined[first:last] for first, last in zip(begin.tolist(), end.tolist(), strict=True)]
    return words, np.searchsorted(begin, starts)


class Lexicon:
    """``words[i]`` is number i. A word that is not known as it is written is looked for in lower case."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self._numbers = {word: number for number, word in enumerate(words)}

    def encode(self, texts: Sequence[str]) -> Encoded:
        """The numbers of the words of texts that are known, and the N + 1 offsets at which each text's start."""
        words, offsets = split_words(texts)
        numbers = self._numbers
        found = np.array([numbers.get(word, numbers.get(word.lower(), -1)) for word in words], np.int64)
        known = found >= 0
        return found[known].astype(np.uint32), np.r_[0, np.cumsum(known)][offsets]
