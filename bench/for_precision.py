"""How often is the threshold of `lossworks evaluate --precision` wrong?

bench/for_precision.py made [DRAWS]    drawn probabilities, calibrated or not, whose truth is known
bench/for_precision.py real [DRAWS]    movie-reviews and ag-news: a threshold found on some test rows, judged on all the others
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import _bench
import numpy as np
from numpy.typing import NDArray

import lossworks
from lossworks.api import Model
from lossworks.metrics import for_precision

Drawn = tuple[NDArray[Any], NDArray[Any]]
Truth = Callable[[float], tuple[float, float]]


def _row(name: str, precision: float, draws: int, draw: Callable[[], tuple[Drawn, Truth]]) -> list[str]:
    """Of a number of draws: how often a threshold was found and was below the precision on other rows, and its recall there."""
    wrong, found, recall = {"here": 0, "shown": 0}, {"here": 0, "shown": 0}, {"here": 0.0, "shown": 0.0}
    for _ in range(draws):
        rows, truth = draw()
        for kind, row in for_precision(*rows, precision).items():
            if isinstance(row, dict):
                right, of_all = truth(row["threshold"])
                found[kind] += 1
                wrong[kind] += right < precision
                recall[kind] += of_all
    told = [f"{100 * wrong[kind] / draws:.1f} %" for kind in wrong] + [f"{100 * found['shown'] / draws:.0f} %"]
    return [name, f"{precision:g}", *told, *(f"{recall[kind] / max(found[kind], 1):.2f}" for kind in recall)]


def _judged(chance: NDArray[Any], true: NDArray[Any]) -> Truth:
    order = np.argsort(-chance)
    falling, hits = -chance[order], np.concatenate([[0], np.cumsum(true[order])])

    def truth(cut: float) -> tuple[float, float]:
        called = int(np.searchsorted(falling, -cut, "right"))
        return float(hits[called] / max(called, 1)), float(hits[called] / hits[-1])

    return truth


def made(draws: int) -> list[list[str]]:
    """Logits drawn, and truths by them; the probabilities are made of a multiple of the logits."""
    rng, rows = np.random.default_rng(0), []

    def drawn(size: int, slope: float) -> Drawn:
        logits = rng.normal(-2, 4, size)
        return 1 / (1 + np.exp(-slope * logits)), rng.random(size) < 1 / (1 + np.exp(-logits))

    for slope, name in ((1.0, "calibrated"), (1.5, "overconfident"), (0.6, "underconfident")):
        truth = _judged(*drawn(1_000_000, slope))
        for size in (350, 3500):
            for precision in (0.8, 0.9):

                def draw(size: int = size, slope: float = slope, truth: Truth = truth) -> tuple[Drawn, Truth]:
                    return drawn(size, slope), truth

                rows += [_row(f"{name}, {size:,} rows", precision, draws, draw)]
    return rows


def real(draws: int) -> list[list[str]]:
    """A model of a third of the rows; of the others 500 are drawn to find the threshold on, and the rest judges it."""
    rng, rows = np.random.default_rng(0), []
    sets = (
        ("movie-reviews", _bench.movie_reviews, "pos", 0.9),
        ("ag-news", _bench.ag_news, "4", 0.9),
        ("trec", _bench.trec, "HUM", 0.95),
    )
    for name, given, label, precision in sets:
        pairs = [pair for part in given(0) for pair in part]
        third = len(pairs) // 3
        model = lossworks.fit(pairs[:third], model="linear")
        assert isinstance(model, Model)
        chance = model.predict_proba([text for text, _ in pairs[third:]])[:, list(model.labels).index(label)]
        true = np.array([own == label for _, own in pairs[third:]])

        def draw(chance: NDArray[Any] = chance, true: NDArray[Any] = true) -> tuple[Drawn, Truth]:
            order = rng.permutation(len(true))
            some, rest = order[:500], order[500:]
            return (chance[some], true[some]), _judged(chance[rest], true[rest])

        rows.append(_row(f"{name}, label {label}", precision, draws, draw))
    return rows


if __name__ == "__main__":
    kind, draws = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 400
    columns = ["rows", "precision", "here: wrong", "shown: wrong", "shown at all", "here: recall", "shown: recall"]
    _bench.table(columns, {"made": made, "real": real}[kind](draws), f"for-precision-{kind}")
