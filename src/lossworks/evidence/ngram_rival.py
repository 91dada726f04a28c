"""What an n-gram model of the same tokens reaches beside arms that are trained: whether they have beaten counting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import metrics
from ..data import TEST, TRAIN
from ..models.ngram import NgramSpec
from ..training import Settings
from ..training.beside_counts import count, too_long
from ..training.language_metrics import logp_of
from .statistics import by_text
from .verdicts import Measured, judge

if TYPE_CHECKING:
    from .texts import TextBenchmark

_KEPT = ("arm", "word", "value", "low", "high", "p_holm")


def beside_counts(
    benchmark: TextBenchmark, arms: Sequence[Measured], metric: str, settings: Sequence[Settings], common: Settings, unit: str
) -> dict[str, Any]:
    """``ngram``: the metric of an n-gram model with our defaults on the test part, and every arm's difference from it, judged as
    those from the baseline are; a ``note`` where counting would take long. Nothing where an arm counts already, or none is
    trained by gradients.

    Args:
        arms: with their rows, one a text.
        settings: theirs. common: what says the tokens, as of the constant baseline.
        unit: what a difference is counted in.
    """
    if not any(one.by_gradients for one in settings) or any(isinstance(one.spec, NgramSpec) for one in settings):
        return {}
    reading = benchmark.ready(common)
    train, test = reading.parts[TRAIN].texts, reading.parts[TEST].texts
    if note := too_long(len(train.ids) + len(test.ids)):
        return {"ngram": {"note": note}}
    name, model = count(train, reading.tokenizer.vocabulary, benchmark.ends, benchmark.scratch)
    rows = metrics.by_segment(reading.units.sums(-logp_of(model, test)), reading.units)[metric]
    seeds = tuple(sorted({seed for arm in arms for seed in arm.seeds}))
    rival = Measured(name=name, rows=by_text(np.tile(rows, (len(seeds), 1)), benchmark.texts), seeds=seeds, diverged=())
    found = [asdict(verdict) for verdict in judge([rival, *arms], metric, None, unit)[1:]]
    told = [{key: one[key] for key in _KEPT} for one in found]
    return {"ngram": {"name": name, "tokenizer": common.tokenizer, "value": float(rows.mean()), "arms": told}}
