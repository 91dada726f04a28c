"""A learning rate that suits the data: short runs at rates a factor of √10 apart, judged by the held-out rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .. import losses, models, optim
from ..core.errors import Diverged, Interrupted, UsageError
from ..engine import Callbacks
from ..metrics import missed
from .dataset import Dataset
from .refit import training
from .settings import Settings
from .start import Start

ROWS_A_TRIAL = 200_000
"""Rows that a trial trains on, counting each as often as it comes, unless all epochs have fewer."""
_APART, _WIDE, _FURTHER = math.sqrt(10), 3, 6  # the grid: 3 rates on either side of the usual one, up to 6 more beyond a best end
_CLOSER = 10**0.25


@dataclass(frozen=True, slots=True)
class Trial:
    """A rate and the best held-out score at it, as a loss; none where training ended early, for which ``note`` says why."""

    lr: float
    score: float | None
    note: str = ""

    @property
    def height(self) -> float:
        return math.inf if self.score is None else self.score


def search(
    data: Dataset,
    spec: models.ModelSpec,
    loss: losses.Loss,
    settings: Settings,
    callbacks: Callbacks,
    start: Start | None = None,
) -> dict[str, Any]:
    """Try rates around the optimiser's own, further out where the best is at an end, and then between. Returns the record:
    ``trials``, the ``chosen`` rate, the ``metric``, and how many ``steps`` a trial has.

    Raises:
        UsageError: no rows are held out to judge by, or no rate ends in a finite score.
    """
    if data.valid is None or not data.valid.rows:
        raise UsageError("--lr auto judges rates by held-out rows, and there are none. Give --valid, or a rate.")
    usual = optim.build(settings.optimizer or "").lr
    steps = max(1, ROWS_A_TRIAL // int(settings.batch_size or 1))
    trials: list[Trial] = []
    metric = settings.stop_by or data.held_out_metric

    def told(trial: Trial) -> float | None:
        return None if trial.score is None else missed(metric, trial.score)  # which undoes itself

    def run(lr: float) -> Trial:
        lr = float(f"{lr:.3g}")
        trials.append(_trial(data, spec, loss, settings.with_lr(lr), callbacks, steps, start))
        callbacks.watch("search", {"lr": lr, "score": told(trials[-1]), "note": trials[-1].note, "done": len(trials)})
        return trials[-1]

    _walk(run, usual)
    best = min(trials, key=lambda trial: trial.height)
    if best.score is None:
        raise UsageError(f"--lr auto: training failed at every rate from {trials[0].lr:g} on ({best.note}). Give a rate.")
    for lr in (best.lr / _CLOSER, best.lr * _CLOSER):
        run(lr)
    best = min(trials, key=lambda trial: trial.height)
    listed = [{"lr": trial.lr, "score": told(trial), "note": trial.note} for trial in sorted(trials, key=lambda t: t.lr)]
    return {"trials": listed, "chosen": best.lr, "metric": metric, "steps": steps}


def _walk(run: Callable[[float], Trial], usual: float) -> None:
    """The grid, and beyond it as long as its best is at an end."""
    powers = list(range(-_WIDE, _WIDE + 1))
    heights = {power: run(usual * _APART**power).height for power in powers}
    for _ in range(_FURTHER):
        best = min(heights, key=heights.__getitem__)
        if best not in (min(heights), max(heights)) or math.isinf(heights[best]):
            return
        further = best + (1 if best == max(heights) else -1)
        heights[further] = run(usual * _APART**further).height


def _trial(
    data: Dataset,
    spec: models.ModelSpec,
    loss: losses.Loss,
    settings: Settings,
    callbacks: Callbacks,
    steps: int,
    start: Start | None,
) -> Trial:
    lr = float(settings.lr or 0)
    callbacks = Callbacks(stop=callbacks.stop, world=callbacks.world)
    loop = training(data, spec, loss, settings, callbacks, last_step=steps, start=start)
    try:
        state = loop.run()
    except Diverged:
        return Trial(lr, None, "diverged")
    except Interrupted:
        raise Interrupted("stopped in the search for a learning rate.", "begins it anew") from None
    return Trial(lr, state.best if math.isfinite(state.best) else None, "" if math.isfinite(state.best) else "no score")
