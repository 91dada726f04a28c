"""What logits over classes say of each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import intervals
from .calibration import Reliability
from .intervals import Floats, Interval, Ints
from .over_rows import blocks


@dataclass(frozen=True, slots=True)
class RowScores:
    """What is kept of each row [N]: never the probabilities [N, K] of all rows at once.

    ahead: how many classes are more probable than the true one, or as probable and of a lower number.
    """

    nll: Floats
    brier: Floats
    top: Ints
    confidence: Floats
    last: Floats
    ahead: Ints

    @classmethod
    def read(cls, logits: NDArray[Any], truth: Ints, temperature: float) -> RowScores:
        out = cls(*(np.empty(len(truth), kind) for kind in (float, float, np.int64, float, float, np.int64)))
        classes = np.arange(logits.shape[1])
        for block in blocks(len(truth), len(classes)):
            index = np.arange(block.stop - block.start)
            z = logits[block].astype(np.float64) / temperature
            out.top[block] = top = z.argmax(1)
            own = z[index, truth[block]][:, None]
            out.ahead[block] = ((z > own) | ((z == own) & (classes < truth[block][:, None]))).sum(1)
            z -= z[index, top][:, None]  # the largest exponential is 1: nothing overflows, the sum is never 0
            away = z[index, truth[block]]
            p = np.exp(z, out=z)
            total = p.sum(1)
            p /= total[:, None]
            out.nll[block] = np.log(total) - away
            out.brier[block] = np.maximum(np.einsum("nk,nk->n", p, p) - 2 * p[index, truth[block]] + 1, 0)
            out.confidence[block] = 1 / total
            out.last[block] = p[:, -1]
        return out

    def proper(
        self, scale: Floats, truth: Ints, clusters: Ints | None, seed: int
    ) -> tuple[dict[str, Interval], list[dict[str, float]]]:
        reliability = Reliability(1, clusters)
        for block in blocks(len(truth)):
            right = self.top[block] == truth[block]
            reliability.add(self.confidence[block, None], right[:, None], scale[block])
        metrics = {
            "nll": intervals.mean(self.nll, scale, clusters, low=0),
            "brier": intervals.mean(self.brier, scale, clusters, low=0, high=2),
            "ece": reliability.ece(seed),
        }
        return metrics, reliability.bins
