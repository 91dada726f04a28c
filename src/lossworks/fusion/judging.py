"""Whether it was a source's knowledge that helped: the pool beside the same without it, with it cut, and with a second seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..evidence.knowledge import CUT, WITHOUT, Check, Verdict, Words, phrase
from ..evidence.statistics import holm
from ..metrics.contrast import Estimate, Sample, mean_of
from .answers import DRAWS, Said

Floats = NDArray[np.float64]
Pool = Callable[[Sequence[Said], Sequence[Said]], Floats]
"""From what sources say of validation positions, on which weights are fitted, and of test positions, to log p of these [n]."""


@dataclass(frozen=True, slots=True)
class Units:
    """The texts, or segments, that positions belong to [n], and what each position counts [n]."""

    of: NDArray[np.int64]
    size: Floats

    def difference(self, loss: Floats, other: Floats) -> Estimate:
        """The mean of loss less other [n], over positions of which both speak."""
        with np.errstate(invalid="ignore"):
            apart = loss - other
        known = ~np.isnan(apart)
        if np.isinf(apart[known]).any():  # something impossible happened
            sign = float(np.sign(apart[known][np.isinf(apart[known])]).sum())
            return Estimate(sign * np.inf if sign else np.nan, np.nan, np.nan, 1.0)
        both = (np.bincount(self.of[known], each[known], self.of.max() + 1) for each in (apart * self.size, self.size))
        sums, sizes = (each.astype(np.float64) for each in both)
        return mean_of(Sample(sums[sizes > 0], sizes[sizes > 0]))

    def mean(self, loss: Floats) -> Estimate:
        """The mean loss."""
        return self.difference(loss, np.zeros_like(loss))


def judge(
    names: Sequence[str],
    valid: Sequence[Said],
    test: Sequence[Said],
    pool: Pool,
    units: Units,
    twin: tuple[Said, Said] | None,
    *,
    needs_twin: bool,
) -> list[Verdict]:
    """A verdict on every source but the first, which is what the others are added to.

    Args:
        names: of the sources.
        valid, test: what they say of the positions that weights are fitted on, and of those that pools are judged on.
        pool: fits and applies a pool.
        units: of the test positions.
        twin: what a second seed of the first source says of both. It takes the source's place: what it gains too, a mean gains.
        needs_twin: whether there could be one; without it nothing is shown then.
    """
    loss = -pool(valid, test)
    found = [_checks(number, valid, test, loss, pool, units, twin) for number in range(1, len(names))]
    corrected = holm([max(check.against for check in checks) for checks in found])
    each = zip(names[1:], found, corrected, strict=True)
    return [_verdict(name, names[0], checks, p, needs_twin and twin is None) for name, checks, p in each]


def _checks(
    number: int,
    valid: Sequence[Said],
    test: Sequence[Said],
    loss: Floats,
    pool: Pool,
    units: Units,
    twin: tuple[Said, Said] | None,
) -> tuple[Check, ...]:
    def other(on: Said | None, of: Said | None) -> Floats:
        """The loss with something else, or nothing, in the source's place."""
        parts = [list(valid), list(test)]
        for part, instead in zip(parts, (on, of), strict=True):
            part[number : number + 1] = [] if instead is None else [instead]
        return -pool(*parts)

    here, there = valid[number], test[number]
    cut = [other(here.permutation(draw), there.permutation(draw)) for draw in range(DRAWS)]
    rivals = {WITHOUT: other(None, None), CUT: np.mean(cut, 0)}
    rivals["its mean answer alone"] = other(here.prior(here.mean), there.prior(here.mean))
    if twin is not None:
        rivals["a second seed of the first source"] = other(*twin)
    made = {name: units.difference(loss, rival) for name, rival in rivals.items()}
    return tuple(Check(name, one.value, one.low, one.high, one.p) for name, one in made.items())


def _verdict(name: str, base: str, checks: tuple[Check, ...], p: float, lacks_twin: bool) -> Verdict:
    words = Words("the pool", "loss", "nats", lambda than: f"the same pool {phrase(than)}")
    lacking = (
        f"so may any second model, such as {base} trained with another seed, which was not tried. Name such a run "
        "with --twin RUN, or have one trained: --twin auto."
    )
    return words.verdict(name, checks, p, lacking if lacks_twin else "")
