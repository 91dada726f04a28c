"""Texts in one spelling: line endings, the composed form of characters (NFC), nothing invisible at the ends of lines."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..core.threads import share
from .characters import BREAK, CONTROL, FIRST, NOT_COMPOSED, SECOND, WHITE, decode, forms
from .texts import Texts, packed

STEPS = ("line_endings", "controls", "trailing_space", "nfc")


@dataclass(frozen=True, slots=True)
class Normalised:
    """The texts, rewritten where need be.

    counts: how many texts each of ``STEPS`` changed. changed: bool [N], the texts that any step changed.
    """

    texts: Texts
    counts: dict[str, int]
    changed: NDArray[np.bool_]


def normalise(texts: Texts) -> Normalised:
    """Rewrite what says nothing.

    Every line ends in a newline; control characters but the tab, and the byte-order mark, are gone; so is white space at the ends
    of lines and of the text; characters are composed (NFC, by Python's version of Unicode). Done twice it changes nothing more.
    """
    sizes, steps = np.empty(len(texts), np.int64), np.zeros((len(texts), len(STEPS)), np.bool_)
    out = np.empty(len(texts.bytes), np.uint8)
    share(_clean_all, len(out), texts.bytes, texts.offsets, forms(), out, sizes, steps)
    extra, end, places = [out], len(out), texts.offsets[:-1].copy()
    for row in np.flatnonzero(steps[:, 3]).tolist():
        before = out[places[row] : places[row] + sizes[row]].tobytes()
        after = unicodedata.normalize("NFC", before.decode("utf-8", "replace")).encode()
        steps[row, 3] = before != after
        if before != after:
            places[row], sizes[row], end = end, len(after), end + len(after)
            extra.append(np.frombuffer(after, np.uint8))
    changed = np.asarray(steps.any(1))
    counts = dict(zip(STEPS, steps.sum(0).tolist(), strict=True))
    return Normalised(packed(np.concatenate(extra), places, sizes) if changed.any() else texts, counts, changed)


@njit(cache=True, nogil=True)
def _clean_all(part, parts, bytes, offsets, forms, out, sizes, steps):  # type: ignore[no-untyped-def]
    """Write each text from its own offset on, never longer; mark what was done, and whether it may not be composed."""
    texts = len(sizes)
    for text in range(texts * part // parts, texts * (part + 1) // parts):
        i, stop = offsets[text], offsets[text + 1]
        at = solid = line = i  # where the next byte goes, and where the last visible character and the last line end
        opens, before = False, 0  # whether the last starter may be composed with what follows; the last combining class
        while i < stop:
            begin = i
            code, i = decode(bytes, i, stop)
            form = forms[code]
            flags = form >> 8
            if flags & BREAK:
                if code == 0x0D and i < stop and bytes[i] == 0x0A:
                    i += 1
                steps[text, 0] |= code != 0x0A
                end = max(solid, line)
                steps[text, 2] |= end < at
                out[end] = 0x0A
                at = line = end + 1
                opens, before = False, 0
                continue
            if flags & CONTROL:
                steps[text, 1] = True
                continue
            for k in range(begin, i):
                out[at] = bytes[k]
                at += 1
            if not flags & WHITE:
                solid = at
            combining = form & 0xFF
            if form > 0xFF or combining:
                steps[text, 3] |= (flags & NOT_COMPOSED) > 0 or (opens and (flags & SECOND) > 0) or 0 < combining < before
            before = combining
            if combining == 0:
                opens = (flags & FIRST) > 0
        steps[text, 2] |= solid < at
        sizes[text] = solid - offsets[text]
