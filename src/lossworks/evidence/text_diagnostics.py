"""What stands behind the figures of language models: the texts, or segments of one text, that arms differ about most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics import linear_sums
from ..metrics.segments import Segments
from ..tokens.graphemes import shortened
from .verdicts import Measured

_ARMS, _APART = 7, 4  # arms, the best beside the baseline, that texts are shown of, and texts of each kind
_LONGEST = 700  # characters of a text shown


def apart(segments: Segments, sizes: Sequence[NDArray[np.float64]], measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """Of the best arms, the units of text in which they gain most on the baseline, and lose most; nothing without a baseline.

    sizes: of each arm what the metric is a rate of, tokens or bytes of each unit.
    """
    known = [number for number, arm in enumerate(measured) if len(arm.rows)]
    if 0 not in known or len(known) < 2:
        return []
    sums = {number: linear_sums(measured[number].rows.mean(0), sizes[number]) for number in known}
    best = sorted(known[1:], key=lambda number: float(measured[number].rows.mean()))[:_ARMS]
    texts, what = segments.texts(), "text" if segments.name == "texts" else "stretch"
    found = []
    for number in sorted(best):
        away = sums[number] - sums[0]
        order = np.argsort(away, kind="stable")
        better, worse = order[away[order] < 0][:_APART], order[::-1][away[order[::-1]] > 0][:_APART]

        def shown(rows: NDArray[np.int64], arm: int = number) -> list[dict[str, Any]]:
            told = [(row, [sums[one][row] / max(sizes[one][row], 1) for one in (0, arm)]) for row in rows.tolist()]
            return [_text(texts[row], f"{what} {row + 1}", values) for row, values in told]

        found.append({"arm": measured[number].name, "better": shown(better), "worse": shown(worse), "won": None, "lost": None})
    return found


def _text(text: str, place: str, values: Sequence[float]) -> dict[str, Any]:
    cut = shortened(text, _LONGEST)
    return {"place": place, "text": cut, "truth": None, "values": [float(value) for value in values], "said": [None, None]}
