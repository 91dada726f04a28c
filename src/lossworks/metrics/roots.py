"""Where a function of one number is 0. SciPy's takes a third of a second to import, which is long for a small fit."""

from __future__ import annotations

from collections.abc import Callable

_RELATIVE = 8.881784197001252e-16  # four times float64's precision


def root(f: Callable[[float], float], low: float, high: float, *, xtol: float, rtol: float = _RELATIVE) -> float:
    """A zero of ``f`` between ``low`` and ``high``, where its signs differ, within ``xtol`` + ``rtol`` times it.

    Secants and inverse quadratic interpolation, and halving where these would not shrink the bracket fast enough. In the order
    of operations of ``scipy.optimize.brentq``, for the same bits.
    Source: Brent 1973, Algorithms for Minimization without Derivatives, chapter 4; interpolation as in Bus & Dekker 1975.

    Raises:
        ValueError: the signs do not differ.
    """
    before, at, other = low, high, 0.0  # the last two points, and the far end of the bracket
    f_before, f_at, f_other = f(low), f(high), 0.0
    moved = step = 0.0
    if f_before * f_at > 0:
        raise ValueError(f"the signs at {low:g} and {high:g} are the same")
    if f_before == 0:
        return before
    while f_at != 0:
        if (f_before < 0) != (f_at < 0):
            other, f_other, moved, step = before, f_before, at - before, at - before
        if abs(f_other) < abs(f_at):
            before, at, other = at, other, at
            f_before, f_at, f_other = f_at, f_other, f_at
        least, half = (xtol + rtol * abs(at)) / 2, (other - at) / 2
        if abs(half) < least:
            break
        trial = _trial(before, at, other, f_before, f_at, f_other) if abs(moved) > least and abs(f_at) < abs(f_before) else None
        if trial is not None and 2 * abs(trial) < min(abs(moved), 3 * abs(half) - least):
            moved, step = step, trial
        else:
            moved = step = half
        before, f_before = at, f_at
        at += step if abs(step) > least else least if half > 0 else -least
        f_at = f(at)
    return at


def _trial(before: float, at: float, other: float, f_before: float, f_at: float, f_other: float) -> float:
    """The step to where a line through two points, or a parabola in f through three, is 0."""
    if before == other:
        return -f_at * (at - before) / (f_at - f_before)
    first, second = (f_before - f_at) / (before - at), (f_other - f_at) / (other - at)
    return -f_at * (f_other * second - f_before * first) / (second * first * (f_other - f_before))
