"""``plan``: what a larger run would reach, how sure that is, and what it would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import UsageError
from ..scaling.forecast import DEFAULT
from ..scaling.planned import Planned

if TYPE_CHECKING:
    from ..scaling import Machine, Runs, Target

_SHARES = 25  # divisions of a compute among parameters and tokens that are looked at


class Plan(Planned):
    """A forecast of one run, from others: ``loss``, ``interval``, ``to_json()``, and a page by ``write``."""

    def __repr__(self) -> str:
        from ..report.plan import sentence

        return f"Plan: {sentence(self)}"

    def write(self, path: Path | str) -> Path:
        """Write a page with the runs, the forecast and how past forecasts went.

        Raises:
            RecordError: the page cannot be written.
        """
        from ..report.plan import write_plan

        return write_plan(self, Path(path))


def plan(
    sources: str | Path | Sequence[str | Path],
    *,
    params: float | None = None,
    tokens: float | None = None,
    compute: float | None = None,
    minutes: float | None = None,
    non_embedding: float | None = None,
    unique: float | None = None,
    columns: Mapping[str, str] | None = None,
    where: Mapping[str, str] | None = None,
    level: float = 0.95,
    forms: Sequence[str] = DEFAULT,
    machine: Machine | None = None,
    seed: int = 0,
) -> Plan:
    """Fit scaling laws to finished runs and forecast the loss of a larger one.

    Args:
        sources: run directories of language models made by ``fit``; or a table of runs, a CSV, JSON-lines or Parquet file.
        params, tokens: the weights of the run to forecast, and the tokens it would be trained on. Or
        compute: its floating-point operations, divided among parameters and tokens as the laws find best. Or
        minutes: that it may take on ``machine``, or on the one the runs were trained on.
        non_embedding: its weights without embeddings: laws of both counts are then averaged, if the runs tell theirs.
        unique: its different tokens, where it sees tokens again.
        columns: what columns of a table are called, by what they hold: params, tokens, loss, compute, non_embedding, unique,
            seconds, memory, tuned, finished, data, tokenizer.
        where: keep the rows of a table that have these values in these columns.
        level: chance that the interval holds the loss.
        forms: the laws to average.
        machine: where it would be trained.
        seed: of the resampling.

    Raises:
        UsageError: what to forecast is not clear, or farther off than these runs can tell.
        DataError: the runs cannot be used: too few sizes, losses that are not finite, several data sets, the same run twice.
        RecordError: a directory holds no run.
        UnknownName: no such law.

    Source: Hoffmann et al. 2022, arXiv:2203.15556 (laws, Huber loss); Choshen et al. 2024, arXiv:2410.11840 (forecasts of larger
    runs from smaller as the test of a law).
    """
    from ..scaling import Machine, Target, cost, forecast
    from ..scaling.cost import rate
    from .finished_runs import read_runs

    ways = {"params and tokens": params or tokens, "compute": compute, "minutes": minutes}
    asked = [way for way, value in ways.items() if value is not None]
    if len(asked) != 1 or (params is None) != (tokens is None):
        raise UsageError("say what to forecast in one way: params with tokens, or compute, or minutes.")
    for name, value in (("params", params), ("tokens", tokens), ("compute", compute), ("minutes", minutes)):
        if value is not None and not 0 < value < float("inf"):
            raise UsageError(f"{name} is {value}; wanted a finite number above 0.")
    given = [sources] if isinstance(sources, str | Path) else list(sources)
    runs, cores = read_runs(given, columns or {}, where or {})
    machine = machine or Machine()
    if minutes is not None:
        speed, said = rate(runs, machine, cores)
        if speed is None:
            raise UsageError(f"minutes say nothing of a run: {said}, or ask with params and tokens.")
        compute = speed * 60 * minutes
    options: dict[str, Any] = {"level": level, "forms": tuple(forms), "seed": seed}
    if compute is not None:
        target = _best(runs, compute, options)
    else:
        target = Target(float(params or 0), float(tokens or 0), non_embedding, unique)
    path = (target, *_towards(runs, target))
    found = forecast(runs, path, **options)
    one = {key: getattr(found, key)[:1] for key in ("loss", "low", "high", "ratio")}
    notes = [*found.notes, *runs.flags]
    if found.ratio[0] <= 1:
        notes.append("The run to forecast is within the range of the runs, so this is an interpolation.")
    return Plan(target, replace(found, **one), cost(runs, target, machine, cores), runs, (path, found), tuple(notes))


def _best(runs: Runs, compute: float, options: dict[str, Any]) -> Target:
    """The division of ``compute`` among parameters and tokens with the lowest forecast, no farther off in either than in it."""
    from ..scaling import Target, forecast
    from ..scaling.runs import FLOPS

    farther = max(compute / runs.compute.max(), 1.0)
    least = max(compute / FLOPS / (runs.tokens.max() * farther), runs.params.min())
    most = min(runs.params.max() * farther, compute / FLOPS / runs.tokens.min())
    if not least <= most:
        raise UsageError(f"a compute of {compute:.3g} is less than that of any run of these sizes; say params and tokens.")
    slope, base = np.polyfit(np.log(runs.params), np.log(runs.tokens), 1) if np.ptp(np.log(runs.params)) > 0 else (0.0, 0.0)
    misses = np.log(runs.tokens) - base - slope * np.log(runs.params)
    if misses.std() < 0.1 * np.log(runs.tokens).std() and slope > -1:  # tokens follow from parameters among the runs
        on_line = float(np.exp((np.log(compute / FLOPS) - base) / (1 + slope)))
        return Target(on_line, compute / FLOPS / on_line)
    targets = [Target(float(n), compute / FLOPS / float(n)) for n in np.geomspace(least, most, _SHARES)]
    return targets[int(np.argmin(forecast(runs, targets, **options).loss))]


def _towards(runs: Runs, target: Target) -> list[Target]:
    """Runs on the way from the largest one to the target, for the picture."""
    from ..scaling import Target

    largest = int(np.argmax(runs.compute))
    shares = np.linspace(0, 1, 9)[:-1]
    own = runs.non_embedding[largest] if runs.non_embedding is not None and target.non_embedding else None

    def between(a: float, b: float, share: float) -> float:
        return float(a ** (1 - share) * b**share)

    return [
        Target(
            between(float(runs.params[largest]), target.params, share),
            between(float(runs.tokens[largest]), target.tokens, share),
            None if own is None else between(float(own), target.non_embedding or 0, share),
        )
        for share in shares
    ]
