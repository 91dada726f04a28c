"""Leave-one-out by hand: texts put together anew without a part, and scored as any text is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lossworks.api import Language

Span = tuple[int, int]


def rescored(model: Language, text: str, spans: list[Span], part: int | None) -> tuple[float, float, NDArray[np.float64]]:
    """Value, baseline and shares, in bits. ``part``: the number from 0 of the one asked for, which stays."""
    every = range(len(spans))
    value = _bits(model, text, spans, part, list(every))
    baseline = _bits(model, text, spans, part, [] if part is None else [part])
    shares = [0.0 if one == part else value - _bits(model, text, spans, part, [n for n in every if n != one]) for one in every]
    return value, baseline, np.array(shares)


def _bits(model: Language, text: str, spans: list[Span], part: int | None, kept: list[int]) -> float:
    """The surprisal of what is left: of the whole, or of the tokens that touch the part or the white space before it."""
    begun, asked = "", (0, 0)
    for number in kept:
        end_before = spans[number - 1][1] if number else 0
        lead = text[end_before : spans[number][0]] if begun else text[: spans[0][0]]
        if number == part:
            asked = (len(begun), len(begun + lead) + spans[number][1] - spans[number][0])
        begun += lead + text[spans[number][0] : spans[number][1]]
    (scored,) = model.score([begun + text[spans[-1][1] if spans else 0 :]])
    if part is None:
        return float(scored.bits.sum())
    touching = [a < asked[1] and b > asked[0] for a, b in scored.spans.tolist()]
    return float(scored.bits[touching].sum())
