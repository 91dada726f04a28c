"""From the finished runs to a verdict on every arm, and the statistics behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..metrics import RISING
from .statistics import LEVEL, Difference, Variances, difference, holm

FEWEST = 2
"""Seeds below which the variance between seeds cannot be estimated."""
Word = Literal["baseline", "better", "worse", "no difference shown", "equivalent", "not enough to say"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """An arm's test rows seed by seed, as they are compared.

    rows: the metric [S, N]; where a seed diverged, that of the constant baseline.
    seeds: their numbers [S].        diverged: those of them that did.
    """

    name: str
    rows: NDArray[np.float64]
    seeds: tuple[int, ...]
    diverged: tuple[int, ...]

    def at(self, seeds: Sequence[int]) -> NDArray[np.float64]:
        """The rows of some of the seeds."""
        return self.rows[[self.seeds.index(seed) for seed in seeds]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was shown of one arm against the baseline, in the metric's own unit (arm − baseline).

    low, high: a 95 % interval by itself, uncorrected.        p, p_holm: the interval's, before and after Holm's
    correction over the arms.        p_flips: the permutation test's, uncorrected.
    p_within: after Holm's, against a difference of the margin or more.
    min_detectable: the minimum detectable difference, at 80 % power and the level of Holm's first step.
    seeds: the number of pairs.        shares: of the variance of the mean, those due to seeds and to examples.
    """

    arm: str
    word: Word
    sentence: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    p_flips: float | None = None
    p_within: float | None = None
    min_detectable: float | None = None
    seeds: int = 0
    shares: dict[str, float] | None = None
    diverged: tuple[int, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "diverged": list(self.diverged)}


def judge(arms: Sequence[Measured], metric: str, margin: float | None, unit: str, rows_are: str = "test rows") -> list[Verdict]:
    """A verdict on every arm, the first being the baseline; ``rows_are``: what sentences call the rows."""
    baseline, others = arms[0], arms[1:]
    pairs = [[seed for seed in arm.seeds if seed in baseline.seeds] for arm in others]
    found = [
        difference(arm.at(seeds) - baseline.at(seeds)) if len(seeds) >= FEWEST else None
        for arm, seeds in zip(others, pairs, strict=True)
    ]
    known = [one for one in found if one is not None]
    corrected = iter(holm([one.p for one in known]))
    within = iter(holm([one.p_within(margin) for one in known]) if margin else [])
    verdicts = [
        Verdict(
            arm=baseline.name,
            word="baseline",
            sentence=_baseline(baseline),
            seeds=len(baseline.seeds),
            diverged=baseline.diverged,
        )
    ]
    for arm, seeds, one in zip(others, pairs, found, strict=True):
        if one is None:
            verdicts.append(_too_few(arm, baseline, seeds, unit))
            continue
        judged = _Judged(arm, baseline, one, next(corrected), next(within) if margin else None, len(known), margin, rows_are)
        verdicts.append(judged.verdict(metric in RISING, unit, len(seeds)))
    return verdicts


@dataclass(frozen=True, slots=True)
class _Judged:
    arm: Measured
    baseline: Measured
    found: Difference
    p_holm: float
    p_within: float | None
    among: int
    margin: float | None
    rows_are: str

    def verdict(self, rising: bool, unit: str, seeds: int) -> Verdict:
        one, variances = self.found, self.found.variances
        min_detectable = variances.min_detectable(LEVEL / self.among)
        word = self._word(rising)
        total = variances.seeds + variances.examples
        return Verdict(
            arm=self.arm.name,
            word=word,
            sentence=self._sentence(word, min_detectable, unit, seeds),
            value=one.value,
            low=one.low,
            high=one.high,
            p=one.p,
            p_holm=self.p_holm,
            p_flips=one.p_flips,
            p_within=self.p_within,
            min_detectable=min_detectable,
            seeds=seeds,
            shares={"seeds": variances.seeds / total, "examples": variances.examples / total} if total else None,
            diverged=self.arm.diverged,
        )

    def _word(self, rising: bool) -> Word:
        """A diverged run is scored as the constant baseline, which is better than it was: so an arm that has any is never better
        nor equivalent, and no arm is worse than a baseline that has.
        """
        clean = not self.arm.diverged and not self.baseline.diverged
        if self.p_within is not None and self.p_within <= LEVEL and clean:
            return "equivalent"
        if self.p_holm > LEVEL or self.found.contradicted:
            return "no difference shown"
        better = (self.found.value > 0) == rising
        if (self.arm if better else self.baseline).diverged:
            return "no difference shown"
        return "better" if better else "worse"

    def _sentence(self, word: Word, min_detectable: float, unit: str, seeds: int) -> str:
        one = self.found
        p = f"p {_p(self.p_holm)} after Holm's correction"
        if word == "equivalent":
            difference = f"the difference is {one.value:+.3g} {unit} (p {_p(self.p_within or 0)})"
            sentence = f"Equivalent to the baseline within {self.margin:g} {unit}: {difference}."
        elif word in ("better", "worse"):
            low, high = (one.low, one.high) if one.value > 0 else (-one.high, -one.low)  # the sign is in the word
            by = f"{abs(one.value):.3g} {unit} (95 % interval {low:.3g} to {high:.3g}; {p})"
            sentence = f"{word.capitalize()} than the baseline by {by}."
        elif one.variances.standard_error == 0 and one.value == 0:
            sentence = f"No difference shown: with every seed both arms score the same on all {self.rows_are}."
        elif self.p_holm <= LEVEL and one.contradicted:
            sentence = (
                f"No difference shown: {one.value:+.3g} {unit} (95 % interval {one.low:+.3g} to {one.high:+.3g}; {p}), but "
                f"the sign-flip permutation test, which does not assume normality, does not confirm it (p {_p(one.p_flips)})."
            )
        else:
            sentence = (
                f"No difference shown: {one.value:+.3g} {unit} (95 % interval {one.low:+.3g} to {one.high:+.3g}; {p}). "
                f"With {seeds} seeds and {one.variances.N:,} {self.rows_are}, the minimum detectable difference is "
                f"{min_detectable:.2g} {unit} (80 % power)."
            )
        return sentence + _divergence(self.arm, self.baseline)


def _too_few(arm: Measured, baseline: Measured, seeds: Sequence[int], unit: str) -> Verdict:
    value = float((arm.at(seeds) - baseline.at(seeds)).mean()) if seeds else None
    sentence = "Not enough to say: " + (
        f"one seed does not show how much seeds vary. Its difference is {value:+.3g} {unit}."
        if value is not None
        else "no paired runs finished yet."
    )
    return Verdict(
        arm=arm.name,
        word="not enough to say",
        sentence=sentence + _divergence(arm, baseline),
        value=value,
        seeds=len(seeds),
        diverged=arm.diverged,
    )


def _baseline(arm: Measured) -> str:
    sentence = "The baseline that the other arms are compared with."
    return sentence + (f" {_diverged(arm)}, so no arm is called worse than it." if arm.diverged else "")


def _divergence(arm: Measured, baseline: Measured) -> str:
    if arm.diverged:
        return f" {_diverged(arm)}, so it is not called better."
    return " The baseline diverged with some seeds." if baseline.diverged else ""


def _diverged(arm: Measured) -> str:
    few = f"{len(arm.diverged)} of {len(arm.seeds)} seeds"
    return f"It diverged with {few}, which are scored as the constant baseline"


def _p(value: float) -> str:
    return f"= {value:.2g}" if value >= 1e-4 else "< 0.0001"


def variances_of(arm: Measured) -> float | None:
    """The standard error of an arm's own mean, both sources in it."""
    return Variances.of(arm.rows).standard_error if len(arm.seeds) >= FEWEST else None
