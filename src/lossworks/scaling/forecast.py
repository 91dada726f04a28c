"""A forecast: laws averaged by how well they forecast the larger of one's own runs from the smaller, and an interval as wide
as those past forecasts were wrong.

Every number here is a natural logarithm of a loss, so 0.01 is 1 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.errors import DataError, UnknownName, UsageError
from .forms import FORMS, Array
from .members import Said, Table, listen
from .past import Heard, Judge, Past
from .runs import FEWEST, NDArrayInt, Runs, Target

DEFAULT = ("chinchilla", "tied")
BEYOND = 10.0  # times the ratio that past forecasts reached: as far as a forecast goes
_PARTS = (0.55, 0.65, 0.75, 0.85)  # of the runs by compute, that past forecasts are made from
_FEW = 8  # sizes up to which past forecasts are made from the smaller sizes too: compute then hardly parts them
_LEAST = 8  # runs that a past forecast is made from,
_FARTHEST = 2.0  # and the ratio that it reaches, at least


@dataclass(frozen=True, slots=True)
class Forecast:
    """Losses of larger runs, each with its interval.

    Attributes:
        loss, low, high: of each run that was asked for, in nats a token; its interval holds the loss with chance ``level``.
        ratio: how many times as large it is as the largest run, in compute, parameters or tokens.
        reach: the largest ratio that is forecast.
        weights: of each law, by its name.
        past: the past forecasts that the weights and the width are from.
        drift: what past forecasts were too high by for each e-fold, shrunk, which is taken off (few runs: 0). ``spread``: its
            standard deviation.
        noise: that remains around the laws. ``widened``: the factor by which the resampled width was multiplied.
    """

    loss: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    ratio: tuple[float, ...]
    reach: float
    level: float
    weights: dict[str, float]
    past: tuple[Past, ...]
    drift: float
    spread: float
    noise: float
    widened: float
    notes: tuple[str, ...]


def forecast(
    runs: Runs, targets: Sequence[Target], *, level: float = 0.95, forms: Sequence[str] = DEFAULT, seed: int = 0
) -> Forecast:
    """Forecast ``targets`` from ``runs``.

    Args:
        runs: finished runs.
        targets: what to forecast; runs within the range of the table are allowed.
        level: chance that an interval holds the loss.
        forms: the laws to average, from `FORMS`; where only one quantity varies, it is ``power`` whatever is asked.
        seed: of the resampling.

    Raises:
        DataError: too few sizes, or too few runs for past forecasts.
        UsageError: a target is farther off than past forecasts can tell, or differs in what no run varies.
        UnknownName: no such law.
    """
    if unknown := [name for name in forms if name not in FORMS]:
        raise UnknownName("scaling law", unknown[0], FORMS)
    if not 0.5 <= level < 1:
        raise UsageError(f"level is {level}; wanted 0.5 or more and below 1: 0.95.")
    table = Table.of(runs, targets)
    members = table.members(forms)
    everything = np.arange(len(runs))
    cuts = _cuts(table, len(runs))
    aims = table.ratio(everything, None)
    reach = BEYOND * max(float(table.ratio(small, large).max()) for small, large in cuts)
    _check_reach(aims, reach)
    told = [listen(members, table, small, large, seed) for small, large in cuts]
    weights = _weights(told, [table.y[large] for _, large in cuts])
    judge = Judge.of(
        [Heard(said, table.ratio(*cut), table.apart(*cut), weights) for said, cut in zip(told, cuts, strict=True)],
        [table.y[large] for _, large in cuts],
        level,
        runs=len(runs),
    )
    heard = Heard(listen(members, table, everything, None, seed), aims, table.apart(everything, None), weights)
    centre, half = judge.interval(heard)
    by_form: dict[str, float] = {}
    for member, weight in zip(members, weights, strict=True):
        by_form[member.form.name] = by_form.get(member.form.name, 0.0) + float(weight)
    past = tuple(
        Past(len(small), float(ratios.max()), tuple(errors.tolist()), tuple(ratios.tolist()), inside)
        for (small, _), ratios, errors, inside in zip(cuts, judge.ratios, judge.errors, judge.inside, strict=True)
    )
    return Forecast(
        loss=_losses(centre),
        low=_losses(centre - half),
        high=_losses(centre + half),
        ratio=tuple(aims.tolist()),
        reach=reach,
        level=level,
        weights=by_form,
        past=past,
        drift=judge.drift,
        spread=judge.spread,
        noise=float(np.quantile(heard.residuals, 0.68)),
        widened=judge.widened,
        notes=table.notes,
    )


def _losses(logs: Array) -> tuple[float, ...]:
    return tuple(np.exp(logs).tolist())


def _cuts(table: Table, count: int) -> list[tuple[NDArrayInt, NDArrayInt]]:
    """The smaller runs and the larger, for each past forecast."""
    masks = [table.scale <= np.quantile(table.scale, part) for part in _PARTS]
    if table.size.max() < _FEW:
        masks += [table.size <= number for number in range(FEWEST - 1, table.size.max())]
    found = {}
    for mask in masks:
        small, large = np.flatnonzero(mask), np.flatnonzero(~mask)
        if len(small) < max(_LEAST, 0.44 * count) or not len(large) or len(np.unique(table.size[small])) < FEWEST:
            continue
        if table.ratio(small, large).max() >= _FARTHEST:
            found[small.tobytes()] = (small, large)
    if not found:
        raise DataError(
            f"{count} runs of {table.size.max() + 1} sizes are too few to try forecasts on: wanted {_LEAST} of {FEWEST} sizes "
            f"and, beyond them, one {_FARTHEST:g} times as large. Without that no interval is known to be right; add "
            "runs, small ones cost little."
        )
    return list(found.values())


def _check_reach(aims: Array, reach: float) -> None:
    if (aims > reach).any():
        raise UsageError(
            f"the run to forecast is {aims.max():.3g} times as large as the largest run. Forecasts on these runs could be tried "
            f"up to {reach / BEYOND:.3g} times that, and are given up to {reach:.3g} times. Add larger runs, or ask for a "
            "smaller one."
        )


def _weights(told: list[Said], actual: list[Array]) -> Array:
    """Of each member: one over its mean squared past error, each past forecast counting the same, an error 10 % at most."""
    squares = [(np.minimum(np.abs(said.point - y), 0.1) ** 2).mean(1) for said, y in zip(told, actual, strict=True)]
    weights = 1 / np.maximum(np.mean(squares, 0), 1e-12)
    averaged: Array = weights / weights.sum()
    return averaged
