"""From which threshold on what is called is right as often as asked for: on labelled rows, and shown of rows like them.

The lowest threshold that does it on some rows was chosen for doing well on them, so on others it falls short about every second
time (docs/guides/calibration.md). What is shown is tested: one threshold after another downwards, by the exact binomial test of a
precision below the one asked for, until one is not rejected. Where that begins the probabilities decide, and never the labels.
So the chance that the last one rejected falls short is at most 5 %, however many were tried (fixed-sequence testing; Angelopoulos
et al. 2022, "Learn then test", arXiv:2110.01052).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.lazy import Later
from .by_threshold import Marks, Rows
from .intervals import Floats, effective
from .over_rows import group_ids

special = Later("scipy.special")

CUTS = (*(number / 100 for number in range(1, 100)), 0.995, 0.999)
"""The thresholds that are tried."""
LEVEL = 0.05


def for_precision(
    chance: NDArray[Any],
    true: NDArray[Any],
    precision: float,
    *,
    weights: NDArray[Any] | None = None,
    groups: NDArray[Any] | None = None,
) -> dict[str, Any]:
    """Thresholds of a probability from which on what is called is right in a share of at least ``precision``.

    Args:
        chance: calibrated probabilities [N]. true: whether calling the row is right [N].
        precision: above 0 and below 1.
        weights, groups: of the rows [N]; equal groups are repeats of one text, and count as one row.

    Returns:
        here: the lowest ``threshold`` that has the precision on these rows: how many ``texts`` are called, their ``precision``,
            ``recall``, and the ``share`` of all rows; None where there is none. shown: the same of the lowest one of which it
            is shown, or None. fewest: how many texts, all of them right, would show it at the very least.
    """
    truth = np.asarray(true).astype(bool)
    rows = Rows(None if weights is None else np.asarray(weights, np.float64), group_ids(groups, len(truth)))
    called = _Called.of(np.asarray(chance, np.float64), truth, rows)
    good = np.flatnonzero(called.right >= precision - 1e-12)
    cuts = {"here": int(good[0]) if len(good) else None, "shown": called.shown(precision)}
    return {
        **{name: None if at is None else _told(CUTS[at], chance, truth, rows) for name, at in cuts.items()},
        "fewest": math.ceil(math.log(LEVEL) / math.log(precision)),
    }


class _Called:
    """Of what each of the thresholds calls: the effective number of ``rows``, and the share that is ``right`` and that is
    ``claimed`` to be, by the probabilities themselves; nan where nothing is called.
    """

    def __init__(self, rows: Floats, right: Floats, claimed: Floats) -> None:
        self.rows, self.right, self.claimed = rows, right, claimed

    @classmethod
    def of(cls, chance: Floats, true: Marks, rows: Rows) -> _Called:
        found = np.full((3, len(CUTS)), np.nan)
        for at, cut in enumerate(CUTS):
            among = chance >= cut
            if not among.any():
                break
            weight = effective(
                None if rows.weights is None else rows.weights[among],
                int(among.sum()),
                None if rows.groups is None else rows.groups[among],
            )
            size = weight.sum()
            found[:, at] = size, weight @ true[among] / size, weight @ chance[among] / size
        return cls(*found)

    def shown(self, precision: float) -> int | None:
        """The last threshold rejected, from the one that is begun at downwards."""
        at = self._first(precision)
        last = None
        while at is not None and at >= 0 and self._p(at, precision) <= LEVEL:
            last, at = at, at - 1
        return last

    def _first(self, precision: float) -> int | None:
        """Where to begin: at the threshold of which the probabilities promise most: by how many of their own standard errors they
        lie above the precision, where that error, of which overconfident ones have too little, counts by its root.
        """
        spread = np.sqrt((self.rows * self.claimed + 1) * (self.rows * (1 - self.claimed) + 1)) / (self.rows + 2)
        promised = np.sqrt(self.rows) * (self.claimed - precision) / np.sqrt(spread)
        able = self.rows >= math.log(LEVEL) / math.log(precision)
        return int(np.where(able, promised, -np.inf).argmax()) if able.any() else None

    def _p(self, at: int, precision: float) -> float:
        """Of so many rows so many right, if each is with that chance."""
        rows, hits = self.rows[at], self.rows[at] * self.right[at]
        return float(special.betainc(hits, rows - hits + 1, precision)) if hits > 0 else 1.0


def _told(cut: float, chance: NDArray[Any], true: Marks, rows: Rows) -> dict[str, Any]:
    called = np.asarray(chance, np.float64) >= cut
    return {
        "threshold": cut,
        "texts": int(called.sum()),
        "share": rows.share(called).value,
        "precision": rows.share(true, called).to_json(),
        "recall": rows.share(called, true).to_json(),
    }
