"""The script that each character is written in, by Unicode's property Script (UAX #24), and the main script of a text.

Characters that scripts share (*Common*: digits, punctuation, emoji) and code points of no script (*Unknown*: unassigned, private
use, surrogates) say nothing of a text. A combining mark of no script of its own (*Inherited*) has that of the character that it
stands on; one that stands on nothing remains without.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
import regex
from numpy.typing import NDArray

from ..core.kernels import kernel
from ..core.threads import available, share
from .characters import LIMIT, points

UNKNOWN, COMMON, INHERITED, FIRST = range(4)
"""The numbers of Zzzz, Zyyy and Zinh, and that of the first script proper."""
_LARGE = ("Hani", "Hang")  # looked for first, so that there is little left to search for the others


@functools.cache
def scripts() -> dict[str, str]:
    """The code of each script in ISO 15924, such as "Cyrl", with its name; their order numbers the scripts."""
    text = files(__package__).joinpath("scripts.csv").read_text("utf-8")
    return {row["code"]: row["name"] for row in csv.DictReader(text.splitlines())}


@functools.cache
def script_numbers() -> NDArray[np.uint8]:
    """The number of the script of every code point, by the version of Unicode that the installed ``regex`` knows."""
    table, left = np.full(LIMIT, UNKNOWN, np.uint8), np.arange(LIMIT, dtype=np.uint32)
    numbers = {code: number for number, code in enumerate(scripts())}
    for code in sorted(numbers, key=lambda code: (code not in _LARGE, numbers[code])):
        try:
            pattern = regex.compile(rf"\p{{Script={code}}}+")
        except regex.error:  # a script newer than the package
            continue
        text = left.tobytes().decode("utf-32-le", "surrogatepass")
        own = np.zeros(len(left), np.bool_)
        for found in pattern.finditer(text):
            own[slice(*found.span())] = True
        table[left[own]] = numbers[code]
        left = left[~own]
    return table


def script_counts(texts: Sequence[str]) -> NDArray[np.int32]:
    """How many characters of each script each text has [texts, scripts], in the order of ``scripts()``."""
    counts = np.empty((len(texts), len(scripts())), np.int32)
    _count(texts, counts, np.empty(len(texts), np.uint8))
    return counts


def script_shares(texts: Sequence[str]) -> list[dict[str, float]]:
    """Of each text the scripts that it is written in, by their codes, with the share of its characters that have a script;
    the largest share first. A text without any has none.
    """
    codes, shares = list(scripts()), list[dict[str, float]]()
    for own in script_counts(texts)[:, FIRST:]:
        order = np.argsort(-own, kind="stable")[: np.count_nonzero(own)]
        shares.append({codes[FIRST + number]: float(own[number] / own.sum()) for number in order})
    return shares


def scripts_of(texts: Sequence[str]) -> list[str]:
    """The code of the script that most characters of each text are written in; of those that are as many, the first in the order
    of ``scripts()``. A text without any is "Zyyy" (Common), "Zinh" (marks alone), or "Zzzz" (empty, or all of it of no script).
    """
    main, codes = np.empty(len(texts), np.uint8), list(scripts())
    _count(texts, np.empty((0, len(codes)), np.int32), main)
    return [codes[number] for number in main]


def _count(texts: Sequence[str], counts: NDArray[np.int32], main: NDArray[np.uint8]) -> None:
    """Fill in the main script of each text, and its counts where there is room for them."""
    codes, starts = points(texts)
    room = np.empty((available(), len(scripts())), np.int32)
    share(_count_all, len(codes), codes, starts, script_numbers(), room, counts, main, most=len(room))


@kernel
def _count_all(part, parts, codes, starts, numbers, room, counts, main):  # type: ignore[no-untyped-def]
    texts, own = len(starts) - 1, room[part]
    for text in range(texts * part // parts, texts * (part + 1) // parts):
        own[:], script = 0, INHERITED
        for code in codes[starts[text] : starts[text + 1]]:
            number = numbers[code]
            if number != INHERITED:
                script = number
            own[script] += 1
        main[text] = FIRST + own[FIRST:].argmax()
        if own[main[text]] == 0:
            main[text] = COMMON if own[COMMON] else INHERITED if own[INHERITED] else UNKNOWN
        if len(counts):
            for script in range(len(own)):
                counts[text, script] = own[script]
