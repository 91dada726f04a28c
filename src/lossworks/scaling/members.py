"""The members of an average: each is one law, of one count of parameters, fitted with near runs counted alike or more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.errors import DataError, UsageError
from .fitting import descend, fit
from .forms import FORMS, Array, Form
from .runs import FEWEST, FLOPS, NDArrayInt, Runs, Target, sizes

_NEARER = (0.0, 0.25)  # powers of compute that runs are weighted by: larger runs are nearer to what is forecast
_RESAMPLED, _STEPS = 30, 25  # weightings of the sizes drawn anew, and steps that each is descended
_LINE = 0.1  # of the spread of log-tokens: what must not follow from parameters, for both to be told apart


@dataclass(frozen=True, slots=True)
class Member:
    """``kind``: which of the table's coordinates it is a law of."""

    form: Form
    kind: int
    nearer: float


@dataclass(frozen=True, slots=True)
class Said:
    """Log-losses that members (M) forecast: ``point`` (M, T), ``resampled`` (M, B, T); and ``residuals`` (M, R) of the runs."""

    point: Array
    resampled: Array
    residuals: Array


@dataclass(frozen=True, slots=True)
class Table:
    """Runs and targets in the coordinates of laws.

    ``kinds``: log-parameters and log-tokens (R + T, 2), for each count of parameters; or the one quantity that varies.
    ``axes``: in what a run can be larger. ``scale``, ``size``: of the runs, what they are ordered by, and the number of its size.
    """

    kinds: tuple[Array, ...]
    axes: Array
    y: Array
    scale: Array
    size: NDArrayInt
    varies: str | None
    notes: tuple[str, ...]

    @classmethod
    def of(cls, runs: Runs, targets: Sequence[Target]) -> Table:
        """Raises DataError where there are too few sizes, UsageError where a target differs in what no run varies."""
        both = (runs.non_embedding is not None) and all(target.non_embedding is not None for target in targets)
        params = np.concatenate([runs.params, [target.params for target in targets]])
        tokens = np.concatenate([runs.tokens, [target.tokens for target in targets]])
        notes = []
        unique = None
        if runs.unique is not None:
            unique = np.concatenate([runs.unique, [target.unique or target.tokens for target in targets]])
            if (unique < tokens).any():
                notes.append("Tokens seen again count for less at each pass (Muennighoff et al. 2023, R* = 15.4).")
        worth = runs.effective(tokens, unique)
        logs = [np.stack([np.log(params), np.log(worth)], 1)]
        if both:
            rest = np.concatenate([np.asarray(runs.non_embedding), [target.non_embedding or 0 for target in targets]])
            logs.append(np.stack([np.log(rest), np.log(worth)], 1))
        elif runs.non_embedding is not None:
            notes.append("The run to forecast says nothing of its parameters without embeddings, so laws are of all parameters.")
        known = len(runs)
        varies = _varies(logs[0][:known])
        compute = np.log(FLOPS) + logs[0].sum(1)
        if varies is None:
            axes, size = np.stack([compute, *logs[0].T], 1), sizes(runs.params)
        else:
            _check_line(logs[0], known, varies)
            one = {"params": logs[0][:, 0], "tokens": logs[0][:, 1], "compute": compute}[varies]
            axes, size = one[:, None], sizes(np.exp(one[:known]))
            logs = [np.stack([one, np.zeros_like(one)], 1)]
            notes.append(f"Only {varies} var{'y' if varies != 'compute' else 'ies'} among the runs, so the law is of that alone.")
        if size.max() + 1 < FEWEST:
            raise DataError(f"{runs.source} has runs of {size.max() + 1} sizes; a scaling law needs {FEWEST} or more.")
        return cls(tuple(logs), axes, np.log(runs.loss), axes[:known, 0], size, varies, tuple(notes))

    def members(self, forms: Sequence[str]) -> list[Member]:
        """Every law with every count of parameters and every weighting of the runs."""
        laws = [FORMS[name] for name in (forms if self.varies is None else ("power",))]
        return [Member(form, kind, nearer) for kind in range(len(self.kinds)) for form in laws for nearer in _NEARER]

    def ratio(self, small: NDArrayInt, large: NDArrayInt | None) -> Array:
        """How many times as large as the largest of ``small`` each of ``large`` is (None: each target), in what it is most so."""
        far = np.exp((self.axes[self._rows(large)] - self.axes[small].max(0)).max(1))
        ratios: Array = np.maximum(far, 1)
        return ratios

    def apart(self, small: NDArrayInt, large: NDArrayInt | None) -> Array:
        """How many spreads apart runs are in tokens a parameter: (large, small)."""
        shape = self.kinds[0][:, 1] - self.kinds[0][:, 0]
        spread = float(shape[small].std()) or 1.0
        gaps: Array = (shape[self._rows(large), None] - shape[small]) / spread
        return gaps

    def _rows(self, large: NDArrayInt | None) -> NDArrayInt:
        return np.arange(len(self.y), len(self.axes)) if large is None else large


def listen(members: Sequence[Member], table: Table, small: NDArrayInt, large: NDArrayInt | None, seed: int) -> Said:
    """What the members, fitted to ``small``, say of ``large`` (None: the targets).

    They are fitted again with sizes weighted anew (the Bayesian bootstrap of Rubin 1981): runs of one size are wrong together.
    """
    aims = np.arange(len(table.y), len(table.axes)) if large is None else large
    numbers, which = np.unique(table.size[small], return_inverse=True)
    drawn = np.random.default_rng(seed).exponential(size=(_RESAMPLED, len(numbers)))
    drawn = (drawn / drawn.mean(1, keepdims=True))[:, which]
    y, scale = table.y[small], table.scale[small]
    point, resampled, residuals = [], [], []
    for member in members:
        logs = table.kinds[member.kind]
        centred = logs - logs[small].mean(0)
        weights = np.exp(member.nearer * (scale - scale.max()))
        weights /= weights.mean()
        theta = fit(member.form, centred[small], y, weights)
        again, _ = descend(member.form, centred[small], y, drawn * weights, np.tile(theta, (_RESAMPLED, 1)), _STEPS)
        point.append(member.form.value(theta[None], centred[aims])[0][0])
        resampled.append(member.form.value(again, centred[aims])[0])
        residuals.append(member.form.value(theta[None], centred[small])[0][0] - y)
    return Said(np.array(point), np.array(resampled), np.array(residuals))


def _varies(logs: Array) -> str | None:
    """The one quantity that varies among the runs, or None where parameters and tokens vary on their own."""
    n, d = (logs - logs.mean(0)).T
    if np.exp(np.ptp(n)) <= 1.05:
        return "tokens"
    if np.exp(np.ptp(d)) <= 1.05:
        return "params"
    follows = d - n * (n @ d) / (n @ n)
    return "compute" if follows.std() <= _LINE * d.std() else None


def _check_line(logs: Array, known: int, varies: str) -> None:
    """A target must be like the runs in all that does not vary among them."""
    runs, aims = logs[:known], logs[known:]
    if varies == "compute":
        slope, base = np.polyfit(runs[:, 0], runs[:, 1], 1)
        off = np.abs(aims[:, 1] - base - slope * aims[:, 0])
        same = "tokens follow from parameters among the runs"
    else:
        column = 1 if varies == "params" else 0
        off = np.abs(aims[:, column] - runs[:, column].mean())
        same = f"all runs have the same {'tokens' if column else 'params'}"
    if len(off) and np.exp(off.max()) > 1.5:
        raise UsageError(
            f"{same}, and the run to forecast has {np.exp(off.max()):.3g} times as many or as few. "
            "What that does cannot be told from these runs; add some that differ in it."
        )
