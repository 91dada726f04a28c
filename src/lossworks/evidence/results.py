"""What a comparison found, as its record keeps it: one JSON object, and a table of every training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..metrics import NO_MEANS, RISING
from ..record import write_atomic
from ..training import Settings
from .benchmark import Benchmark
from .by_language import of_arms
from .design import Design
from .knowledge import BEST, TWIN, Claim, judge_claims
from .label_diagnostics import by_label, calibration
from .outcome import Outcome
from .pooling import PooledRuns
from .statistics import LEVEL, by_text
from .store import RUN, TUNE, Finished, Key
from .verdicts import Measured, judge, variances_of

UNITS = {
    "nll": "nats", "brier": "of Brier's score", "mse": "squared units", "mae": "units", "accuracy": "of accuracy",
    "subset_accuracy": "of exact match", "macro_f1": "of macro-F1", "micro_f1": "of micro-F1",
    "nats_per_token": "nats a token", "bits_per_byte": "bits a byte",
}  # fmt: skip
"""What a difference in a metric is counted in."""


def results(
    design: Design, done: Finished, benchmark: Benchmark[Any], margin: float | None, doubled: NDArray[np.int64]
) -> dict[str, Any]:
    """The verdicts and what stands behind them.

    doubled: places of the test rows that stand among the training rows too.
    """
    prior = benchmark.prior(design.metric)
    pools = [PooledRuns.of(design, done, benchmark, pool) for pool in design.pools]
    for number, pool in enumerate(pools, len(design.arms)):
        done = done | {Key(RUN, number, seed): one for seed, one in pool.runs.items()}
    settings = [*(arm.settings for arm in design.arms), *(design.arms[pool.members[0]].settings for pool in design.pools)]
    names = [*(arm.name for arm in design.arms), *(pool.name for pool in design.pools)]
    measured = [_measured(name, _runs(design, done, arm), prior) for arm, name in enumerate(names)]
    texts = benchmark.texts
    examples = [replace(arm, rows=by_text(arm.rows, texts)) for arm in measured]
    recur = examples[0].rows.shape[1] < len(prior)
    unit = "different test texts" if recur else benchmark.unit
    verdicts = judge(examples, design.metric, margin, UNITS[design.metric], unit)
    twins = [_measured(TWIN, pool.twins, prior) for pool in pools]
    claims = _claims(design, examples, pools, [replace(twin, rows=by_text(twin.rows, texts)) for twin in twins])
    soonest = _soonest(design, done)
    arms = []
    for number, (rows, verdict) in enumerate(zip(measured, verdicts, strict=True)):
        runs = [(seed, done[Key(RUN, number, seed)]) for seed in rows.seeds]
        arms.append({
            "name": rows.name,
            "settings": _spelled(design, number),
            "tuning": _tuning(design, done, number),
            "verdict": verdict.to_json() | {"without_duplicates": _without(rows, measured[0], doubled)},
            "value": float(rows.rows.mean()) if runs else None,
            "standard_error": variances_of(examples[number]),
            "seeds": [_run(design, seed, one, prior) for seed, one in runs],
            "metrics": _means([one.metrics for _, one in runs if one.metrics]),
            "seconds": _median([one.seconds for _, one in runs]),
            "texts": runs[0][1].texts if runs else None,
            "at_equal_seconds": _at(soonest, [one.curve for _, one in runs if one.curve]),
            **calibration([one.bins for _, one in runs if one.bins]),
            "f1": by_label([one.f1 for _, one in runs if one.f1]),
        })  # fmt: skip
    words = [one.word for one in verdicts]
    ended = [[done[Key(RUN, number, seed)] for seed in one.seeds] for number, one in enumerate(measured)]
    return {
        "metric": design.metric, "unit": UNITS[design.metric], "rising": design.metric in RISING,
        "judged_by": benchmark.task.proper,
        "margin": margin, "level": LEVEL, "test_rows": len(prior), "rows_are": benchmark.unit,
        "test_texts": examples[0].rows.shape[1] if recur else None, "prior": float(prior.mean()),
        "equal_seconds": soonest, "arms": arms, "done": sum(key.stage == RUN and key.arm < len(design.arms) for key in done),
        "of": len(design.arms) * design.seeds,
        "knowledge": [verdict.to_json() for verdict in judge_claims(claims, design.metric, UNITS[design.metric])],
        **_by_language(design.metric, benchmark, _within(design.metric, benchmark, measured, ended), words, settings),
        **benchmark.counted(examples, design.metric, settings, UNITS[design.metric]),
        **benchmark.diagnostics(ended, measured, design.metric, settings),
    }  # fmt: skip


def _by_language(
    metric: str,
    benchmark: Benchmark[Any],
    measured: Sequence[Measured] | None,
    words: Sequence[str],
    settings: Sequence[Settings],
) -> dict[str, Any]:
    """Every arm's difference from the baseline by language; nothing without languages."""
    languages = benchmark.languages
    if languages is None or measured is None:
        return {} if languages is None else {"by_language": None}
    sizes = None if metric in NO_MEANS else [benchmark.sizes(metric, one) for one in settings]
    told = of_arms(measured, sizes, benchmark.texts, languages, words, UNITS[metric], rising=metric in RISING)
    return {"by_language": told}


def _within(
    metric: str, benchmark: Benchmark[Any], measured: Sequence[Measured], ended: Sequence[Sequence[Outcome]]
) -> Sequence[Measured] | None:
    """The arms by what their rows say of languages; None of F1 in a comparison that was begun before each language's was kept."""
    prior = benchmark.prior_within(metric)
    if prior is None:
        return measured
    told = [[prior if one.rows is None else one.within for one in runs] for runs in ended]
    rows = [[each for each in own if each is not None] for own in told]
    if list(map(len, rows)) != list(map(len, told)):
        return None
    return [replace(one, rows=np.stack(own) if own else one.rows) for one, own in zip(measured, rows, strict=True)]


def write_table(path: Path, design: Design, done: Finished) -> None:
    """Every training as a row of a Parquet file: ``polars.read_parquet`` loads it."""
    import polars as pl

    rows = [_row(design, done, key) for key in sorted(done, key=lambda key: (key.stage, key.arm, key.number))]
    table = pl.DataFrame(rows, infer_schema_length=None)
    write_atomic(path, lambda part: table.write_parquet(part))


def _row(design: Design, done: Finished, key: Key) -> dict[str, Any]:
    arm, one = design.arms[key.arm], done[key]
    chosen = design.chosen(key.arm, done)
    point = design.points(key.arm, done)[key.number] if key.stage == TUNE else chosen[0] if chosen else {}
    tried = {one.name: point.get(one.name) for one in design.tune}
    return {
        "stage": key.stage, "arm": arm.name, "number": key.number, "seed": design.seed(key),
        **{part: value for part, value in arm.spelled().items() if part in ("model", "loss", "optimizer")},
        **tried,
        "validation": one.judged if math.isfinite(one.judged) else None, "diverged": bool(one.note), "note": one.note,
        "seconds": one.seconds, "texts": one.texts, **{f"test_{name}": value for name, value in one.metrics.items()},
        "curve_epoch": [epoch for epoch, _, _ in one.curve], "curve_seconds": [seconds for _, seconds, _ in one.curve],
        "curve_validation": [score for _, _, score in one.curve],
    }  # fmt: skip


def _claims(design: Design, arms: Sequence[Measured], pools: Sequence[PooledRuns], twins: Sequence[Measured]) -> list[Claim]:
    """What is to be shown of arms with knowledge, and of pools."""
    sources = {place: design.arms[place].settings.teach or str(design.arms[place].settings.model) for place in design.controls}
    found = []
    for place, rivals in design.controls.items():
        name = sources[place] if list(sources.values()).count(sources[place]) == 1 else arms[place].name
        found.append(Claim(name, arms[place], {than: arms[rival] for than, rival in rivals.items()}))
    for number, (pool, twin) in enumerate(zip(pools, twins, strict=True), len(design.arms)):
        if pool.best is not None:
            beside = {f"{BEST}, {arms[pool.best].name}": arms[pool.best], TWIN: twin}
            found.append(Claim(arms[number].name, arms[number], beside, pool=True))
    return found


def _spelled(design: Design, number: int) -> dict[str, Any]:
    """What an arm may differ in; of a pool, as of its first member but for the model."""
    if number < len(design.arms):
        return design.arms[number].spelled()
    pool = design.pools[number - len(design.arms)]
    return design.arms[pool.members[0]].spelled() | {"model": pool.model}


def _runs(design: Design, done: Finished, arm: int) -> dict[int, Outcome]:
    return {seed: done[Key(RUN, arm, seed)] for seed in range(design.seeds) if Key(RUN, arm, seed) in done}


def _measured(name: str, runs: Mapping[int, Outcome], prior: NDArray[np.float64]) -> Measured:
    rows = [prior if one.rows is None else one.rows for one in runs.values()]
    diverged = tuple(seed for seed, one in runs.items() if one.rows is None)
    return Measured(
        name=name,
        rows=np.stack(rows) if rows else np.empty((0, len(prior))),
        seeds=tuple(runs),
        diverged=diverged,
    )


def _run(design: Design, seed: int, one: Outcome, prior: NDArray[np.float64]) -> dict[str, Any]:
    value = float((prior if one.rows is None else one.rows).mean())
    return {
        "seed": design.seed(Key(RUN, 0, seed)),
        "value": value,
        "seconds": one.seconds,
        "note": one.note,
        "curve": one.curve,
    }


def _tuning(design: Design, done: Finished, arm: int) -> dict[str, Any]:
    """The trials of an arm, what was chosen of them, and what of that stands at the end of where it was looked for."""
    if arm >= len(design.arms):  # a pool
        return {"trials": [], "chosen": None, "at_end": [], "lr": None}
    points, chosen = design.points(arm, done), design.chosen(arm, done)
    trials = []
    for number, point in enumerate(points):
        one = done.get(Key(TUNE, arm, number))
        if one is not None:
            score = one.judged if math.isfinite(one.judged) else None
            trials.append({**point, "score": score, "note": one.note, "seconds": one.seconds})
    best = chosen[0] if chosen else None
    tried = {one.name: sorted(point[one.name] for point in points) for one in design.tune if best and one.name in best}
    ends = [name for name, values in tried.items() if best and best[name] in (values[0], values[-1])]
    lr = None if chosen is None else chosen[1].lr
    return {"trials": trials, "chosen": best, "at_end": ends, "lr": lr}


def _without(arm: Measured, baseline: Measured, doubled: NDArray[np.int64]) -> float | None:
    """The difference on the test rows that have no double among the training rows; None where all or none have."""
    seeds = [seed for seed in arm.seeds if seed in baseline.seeds]
    kept = np.setdiff1d(np.arange(arm.rows.shape[1]), doubled)
    if not seeds or not len(doubled) or not len(kept) or arm is baseline:
        return None
    return float((arm.at(seeds) - baseline.at(seeds))[:, kept].mean())


def _soonest(design: Design, done: Finished) -> float | None:
    """The median seconds of the arm that was trained soonest, which all the others had too."""
    medians = [
        _median([one.seconds for key, one in done.items() if key.stage == RUN and key.arm == arm and not one.note])
        for arm in range(len(design.arms))
    ]
    known = [median for median in medians if median is not None]
    return min(known, default=None)


def _at(seconds: float | None, curves: Sequence[list[tuple[float, float, float]]]) -> dict[str, float] | None:
    """The validation rows' score at the last epoch that ended within ``seconds``, and which: means over the seeds."""
    if seconds is None or not curves:
        return None
    reached = [[(epoch, score) for epoch, at, score in curve if at <= seconds * 1.02] for curve in curves]
    last = [found[-1] for found in reached if found]
    if len(last) < len(curves):
        return None
    return {"epoch": float(np.mean([epoch for epoch, _ in last])), "score": float(np.mean([score for _, score in last]))}


def _means(metrics: Sequence[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([one[name] for one in metrics])) for name in metrics[0]} if metrics else {}


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None
