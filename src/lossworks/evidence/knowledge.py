"""Whether it was knowledge that helped: what has it beside the same without it, and with its link to the texts cut."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..metrics import RISING
from .statistics import LEVEL, difference, holm
from .verdicts import FEWEST, Measured

HELPS, NOT_SHOWN, NO_TWIN = "helps", "no knowledge shown", "not enough to say"
WITHOUT, CUT = "without it", "cut from its texts"
SAME_WITHOUT, SAME_CUT = f"the same arm {WITHOUT}", f"the same arm with it {CUT}"
BEST, TWIN = "its best member", "a pool of its best member with two seeds"


@dataclass(frozen=True, slots=True)
class Check:
    """The metric of what has the knowledge less that of something else, with its 95 % interval; a loss is better below 0, a
    metric that is ``rising`` above.
    """

    than: str
    value: float
    low: float
    high: float
    p: float
    rising: bool = False

    @property
    def gain(self) -> float:
        """How much better it is."""
        return self.value if self.rising else -self.value

    @property
    def against(self) -> float:
        """p of its not being better."""
        return self.p if self.gain > 0 else 1.0

    @property
    def passed(self) -> bool:
        """Whether it is shown to be better."""
        return self.against <= LEVEL


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was shown of one source. p: the largest of its checks', by Holm over the sources: all must be passed."""

    source: str
    word: str
    sentence: str
    p: float
    checks: tuple[Check, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "checks": [{**asdict(check), "passed": check.passed} for check in self.checks]}


@dataclass(frozen=True, slots=True)
class Words:
    """How a verdict is told. what: has the knowledge. figure, unit: what is compared. beside: from ``Check.than``, with what."""

    what: str
    figure: str
    unit: str
    beside: Callable[[str], str]

    def verdict(self, name: str, checks: tuple[Check, ...], p: float, lacking: str = "") -> Verdict:
        """The verdict on a source; lacking: why nothing more than that it helps can be said."""
        failed = [check for check in checks if not check.passed]
        if failed:
            worst, word = min(failed, key=lambda check: check.gain), NOT_SHOWN
            apart = f"{worst.value:+.4f} {self.unit} ({worst.low:+.4f} to {worst.high:+.4f})"
            said = (
                f"{name} is not shown to help: {self.what}'s {self.figure} is {apart} beside that of {self.beside(worst.than)}."
            )
        elif p > LEVEL:
            word, said = NOT_SHOWN, f"{name} is not shown to help once corrected for several sources (p {p:.2g} by Holm)."
        elif lacking:
            word, said = NO_TWIN, f"{name} helps, but {lacking}"
        else:
            least, word = min(checks, key=lambda check: check.gain), HELPS
            ends = (least.low, least.high) if least.rising else (-least.high, -least.low)
            gain = f"{least.gain:.4f} {self.unit} ({ends[0]:.4f} to {ends[1]:.4f})"
            more = ", and more elsewhere" if len(checks) > 1 else ""
            said = f"{name} helps by its knowledge: it gains {gain} beside {self.beside(least.than)}{more}."
        return Verdict(name, word, said, p, checks)


def phrase(than: str) -> str:
    """What a check calls its rival, as it stands behind "the same pool"."""
    return {WITHOUT: WITHOUT, CUT: f"with it {CUT}"}.get(than, f"with {than} in its place")


@dataclass(frozen=True, slots=True)
class Claim:
    """What an arm with knowledge, or a ``pool`` of arms, is compared with: ``rivals`` by what ``Check`` calls them."""

    name: str
    arm: Measured
    rivals: Mapping[str, Measured]
    pool: bool = False


def judge_claims(claims: Sequence[Claim], metric: str, unit: str) -> list[Verdict]:
    """A verdict on each claim, over seeds and examples as all verdicts of a comparison; p is Holm's over the claims."""
    found = [tuple(_check(claim.arm, than, rival, metric) for than, rival in claim.rivals.items()) for claim in claims]
    known = [checks for checks in found if None not in checks]
    corrected = iter(holm([max(check.against for check in checks if check) for checks in known]))
    verdicts = []
    for claim, checks in zip(claims, found, strict=True):
        made = tuple(check for check in checks if check is not None)
        if len(made) < len(checks):
            said = f"{claim.name}: not enough to say, for one seed does not show how much seeds vary."
            verdicts.append(Verdict(claim.name, NO_TWIN, said, 1.0, made))
            continue
        words = Words("the pool" if claim.pool else "the arm", metric, unit, str)
        verdicts.append(words.verdict(claim.name, made, next(corrected)))
    return verdicts


def _check(arm: Measured, than: str, rival: Measured, metric: str) -> Check | None:
    """None where seeds are too few. An arm that diverged, scored as what is better than it was, is never better."""
    seeds = [seed for seed in arm.seeds if seed in rival.seeds]
    if len(seeds) < FEWEST:
        return None
    one = difference(arm.at(seeds) - rival.at(seeds))
    p = 1.0 if arm.diverged else max(one.p, one.p_flips) if one.contradicted else one.p
    return Check(than, one.value, one.low, one.high, p, metric in RISING)
