"""How many of some rows are wrong, from a sample of them drawn in strata: an interval that no normal approximation goes into."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from ..metrics import Interval

TAIL = 0.01
"""What each end of the interval may leave out. Half of 5 % would do if it were known how the wrong rows divide among the strata.
That is estimated, and where 2 % are to be left out up to 3.5 % are, of 1 % up to 1.7 %."""
_CELLS = 4000

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sampled:
    """Strata of ``rows`` rows each, of which ``drawn`` were drawn at random and ``wrong`` found wrong; int64 [H]."""

    rows: Ints
    drawn: Ints
    wrong: Ints

    def interval(self) -> tuple[int, int]:
        """The fewest and the most wrong rows in all strata together that the sample does not speak against.

        For each number of wrong rows, those that are not seen are divided among the strata as is most likely. Under that division
        the estimate Σ rows · wrong / drawn has a known distribution, a sum of independent hypergeometric ones, and a number is
        left out where an estimate as extreme as the observed one has a probability of ``TAIL`` or less. With one stratum
        this is the exact (Clopper-Pearson) interval of a sample without replacement.
        """
        seen, division = int(self.wrong.sum()), self._division()
        shifts, observed = self._lattice()

        def tails(unseen: int) -> tuple[float, float]:
            wrong = self.wrong + np.bincount(division[:unseen], minlength=len(self.rows))
            chances = self._distribution(wrong, shifts)
            return float(chances[observed:].sum()), float(chances[: observed + 1].sum())

        low = _first(lambda unseen: tails(unseen)[0] > TAIL, len(division))
        return seen + low, seen + _first(lambda unseen: tails(unseen)[1] <= TAIL, len(division) + 1) - 1

    def _division(self) -> Ints:
        """The strata in which wrong rows beyond those seen most likely lie, one by one: the likelihood is log-concave."""
        gains, strata = [], []
        for number, (rows, drawn, wrong) in enumerate(zip(self.rows, self.drawn, self.wrong, strict=True)):
            total = np.arange(wrong, rows - drawn + wrong)  # to one more than so many
            gains.append(np.log1p(wrong / (total + 1 - wrong)) + np.log1p(-(drawn - wrong) / (rows - total)))
            strata.append(np.full(len(total), number))
        order = np.argsort(-np.concatenate(gains), kind="stable")
        return np.concatenate(strata)[order]

    def _lattice(self) -> tuple[list[Ints], int]:
        """What each number of wrong rows in a stratum's sample adds to the estimate, on a grid, and where the observed one is."""
        unit = self.rows.sum() / _CELLS
        pairs = zip(self.rows, self.drawn, strict=True)
        shifts = [np.rint(np.arange(n + 1) * (rows / n / unit)).astype(np.int64) for rows, n in pairs]
        return shifts, sum(int(shift[wrong]) for shift, wrong in zip(shifts, self.wrong, strict=True))

    def _distribution(self, wrong: Ints, shifts: Sequence[Ints]) -> NDArray[np.float64]:
        """The chances of each estimate on the grid where the strata have so many ``wrong`` rows."""
        chances = np.ones(1)
        for rows, drawn, bad, shift in zip(self.rows, self.drawn, wrong, shifts, strict=True):
            longer = np.zeros(len(chances) + shift[-1])
            for chance, by in zip(_hypergeometric(int(rows), int(bad), int(drawn)), shift, strict=True):
                if chance > 1e-15:
                    longer[by : by + len(chances)] += chance * chances
            chances = longer
        return chances


def wrong_rows(rows: Ints, drawn: Ints, wrong: Ints, unsure: Ints) -> Interval:
    """How many of the rows are wrong, with its 95 % interval.

    Args:
        rows, drawn: of each stratum; one row or more is drawn of each.
        wrong: of those drawn, how many were found wrong.
        unsure: of how many it could not be told. They count as right at the low end and as wrong at the high one; the value
            leaves them out.
    """
    low, _ = Sampled(rows, drawn, wrong).interval()
    _, high = Sampled(rows, drawn, wrong + unsure).interval()
    told = drawn - unsure
    shares = np.where(told > 0, wrong / np.maximum(told, 1), 0.5)  # where nothing could be told, anything may be
    return Interval(float(rows @ shares), float(low), float(high))


def _hypergeometric(rows: int, bad: int, drawn: int) -> NDArray[np.float64]:
    """The chances of 0 to ``drawn`` bad rows in a sample of ``drawn``."""
    x = np.arange(max(0, drawn - rows + bad), min(bad, drawn) + 1)
    chances = np.zeros(drawn + 1)
    chances[x] = np.exp(_choose(bad, x) + _choose(rows - bad, drawn - x) - _choose(rows, drawn))
    return chances


def _choose(n: int, k: Ints | int) -> NDArray[np.float64]:
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))


def _first(holds: Callable[[int], bool], count: int) -> int:
    """The first number below ``count`` for which ``holds``, which it does for all after it too; ``count`` if there is none."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
