"""Whether a threshold for each label is worth more than one for all of them, on rows that neither was tuned on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .contrast import FEWEST, LEVEL, Losses, mean_of
from .over_rows import per_class
from .probabilities import sigmoid
from .rows import by_row
from .swaps import Answers, swapped

HALF = 0.5
MOST_DECISIONS = 1 << 25
"""Decisions, rows times labels, from which nothing is compared."""


def compare_cuts(
    logits: NDArray[Any],
    target: NDArray[Any],
    own: Sequence[float],
    one: float,
    *,
    temperature: float = 1.0,
    weights: NDArray[Any] | None = None,
    groups: NDArray[Any] | None = None,
) -> dict[str, Any]:
    """Label sets [N, K] told from logits [N, K] by each label's ``own`` threshold [K], by ``one`` for all, and by one half.

    Returns: ``labels``, of each by "own", "one" and "half" the precision, recall and F1; ``macro_f1`` and ``micro_f1`` by each of
    the three; and ``difference``, what macro-F1 gains by own thresholds over one, with a 95 % interval from its linearisation and
    p, the larger of that and the paired randomization test's (Yeh 2000). None: fewer than 20 texts, or both are the same.

    Args:
        temperature, weights, groups: as of ``multilabel``.
    """
    truth = np.asarray(target).astype(bool)
    texts = np.arange(len(truth)) if groups is None else groups
    weight = np.ones(len(truth)) if weights is None else np.asarray(weights, np.float64)
    chance = sigmoid(logits.astype(np.float64) / temperature)
    cuts = {"own": np.asarray(own, np.float64), "one": np.full(len(own), one), "half": np.full(len(own), HALF)}
    said = {name: chance >= cut for name, cut in cuts.items()}
    by_label = {name: _by_label(predicted, truth, weight) for name, predicted in said.items()}
    rows = {
        name: by_row("multilabel", logits, truth, weights=weights, temperature=temperature, thresholds=cut.tolist())
        for name, cut in cuts.items()
    }
    macro = {name: found["macro_f1"] for name, found in rows.items()}
    sample = Losses(macro["own"] - macro["one"], np.ones(len(truth)), texts).sample(np.arange(len(truth)))
    apart = None
    if len(sample.sums) >= FEWEST and (said["own"] != said["one"]).any():
        apart = asdict(mean_of(sample))
        if apart["p"] <= LEVEL:
            both = [Answers.of(said[name], truth, truth.shape[1], weights) for name in ("one", "own")]
            apart["p"] = max(apart["p"], swapped(both[0], both[1], np.arange(len(truth)), texts))
    return {
        "one": one,
        "labels": [{name: by_label[name][label] for name in cuts} for label in range(truth.shape[1])],
        **{metric: {name: float(rows[name][metric].mean()) for name in cuts} for metric in ("macro_f1", "micro_f1")},
        "difference": apart,
    }


def _by_label(predicted: NDArray[np.bool_], truth: NDArray[np.bool_], weight: NDArray[np.float64]) -> list[dict[str, float]]:
    """Precision, recall and F1 of each label."""
    hits, called, true = (np.asarray(weight @ marks) for marks in (predicted & truth, predicted, truth))
    return per_class(hits, called, true, truth.sum(0).astype(np.float64))
