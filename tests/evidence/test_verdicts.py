"""What is said of an arm, given its test rows: every word, and what diverged trainings do to it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lossworks.evidence import statistics
from lossworks.evidence.verdicts import Measured, Verdict, judge

RNG = np.random.default_rng(0)
HARD = RNG.exponential(1, 200)
"""How hard each test row is, for every arm."""


@pytest.fixture(autouse=True)
def few_flips(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of the draws of the permutation test: its p is needed to the hundredth."""
    real = statistics.flips
    monkeypatch.setattr(statistics, "flips", lambda d, seed=0, count=1999: real(d, seed, count))


def arm(name: str, shift: float = 0.0, seeds: int = 6, noise: float = 0.02, diverged: tuple[int, ...] = ()) -> Measured:
    """An arm whose rows cost as much as they are hard, and ``shift`` more."""
    rows = HARD + shift + RNG.normal(0, noise, (seeds, 1)) + RNG.normal(0, noise, (seeds, 200))
    rows[list(diverged)] = 1.5
    return Measured(name=name, rows=rows, seeds=tuple(range(seeds)), diverged=diverged)


def words(*arms: Measured, metric: str = "nll", margin: float | None = None) -> list[str]:
    """The verdicts' words."""
    return [verdict.word for verdict in judge(arms, metric, margin, "nats")]


def only(arms: list[Measured], **more: object) -> Verdict:
    """The verdict on the one arm that is not the baseline."""
    return judge(arms, "nll", more.get("margin"), "nats")[1]  # type: ignore[arg-type]


def test_every_word() -> None:
    """Less is better of a loss, more of an accuracy; nothing is shown of an arm that is as good."""
    arms = [arm("a"), arm("b", 0.2), arm("c", -0.2), arm("d")]
    assert words(*arms) == ["baseline", "worse", "better", "no difference shown"]
    assert words(*arms, metric="accuracy") == ["baseline", "better", "worse", "no difference shown"]


def test_numbers() -> None:
    """The difference is in the metric's unit, its interval holds the truth, and what could have been shown is said."""
    verdict = only([arm("a"), arm("b", 0.2)])
    assert verdict.low is not None
    assert verdict.high is not None
    assert verdict.low < 0.2 < verdict.high
    assert verdict.value == pytest.approx(0.2, abs=0.05)
    assert "Worse than the baseline by 0." in verdict.sentence
    quiet = only([arm("a"), arm("b")])
    assert quiet.min_detectable is not None
    assert quiet.high is not None
    assert (
        f"With 6 seeds and 200 test rows, the minimum detectable difference is {quiet.min_detectable:.2g} nats" in quiet.sentence
    )
    assert quiet.min_detectable > quiet.high - (quiet.value or 0)


def test_equivalent() -> None:
    """Within a margin that the interval keeps clear of; not where the margin is narrower than the doubt."""
    arms = [arm("a"), arm("b", 0.01)]
    assert words(*arms, margin=0.2)[1] == "equivalent"
    assert words(*arms, margin=0.005)[1] != "equivalent"
    assert words(arm("a"), arm("b", 0.1), margin=0.5)[1] == "equivalent"  # shown to differ, by less than matters
    assert words(arm("a"), arm("b", 0.6), margin=0.5)[1] == "worse"


def test_same_rows() -> None:
    """Arms that say the same of every row with every seed."""
    one = arm("a")
    verdict = only([one, Measured(name="b", rows=one.rows, seeds=one.seeds, diverged=())])
    assert verdict.word == "no difference shown"
    assert "both arms score the same on all test rows" in verdict.sentence


def test_too_few_seeds() -> None:
    """One seed runs, and says how much it gave; no pair says nothing. Neither is counted among the corrected."""
    verdict = only([arm("a", seeds=1), arm("b", 0.5, seeds=1)])
    assert verdict.word == "not enough to say"
    assert "one seed does not show how much seeds vary" in verdict.sentence
    assert verdict.low is None
    none = Measured(name="c", rows=np.empty((0, 200)), seeds=(), diverged=())
    assert words(arm("a"), arm("b", 0.2), none) == ["baseline", "worse", "not enough to say"]


def test_pairs_only() -> None:
    """Seeds that only one of the two has do not count."""
    late = arm("b", 0.2)
    late = Measured(name="b", rows=late.rows[:3], seeds=(0, 2, 4), diverged=())
    assert only([arm("a"), late]).seeds == 3


def test_diverged() -> None:
    """An arm that diverged is never better nor equivalent, and is told of; none is worse than a baseline that did."""
    far, wrong = arm("a", 3.0), arm("b", -1.0, diverged=(2,))
    verdict = only([far, wrong])
    assert verdict.p_holm is not None
    assert verdict.p_holm <= 0.05
    assert (verdict.word, verdict.diverged) == ("no difference shown", (2,))
    assert "diverged with 1 of 6 seeds" in verdict.sentence
    assert words(arm("a"), arm("b", 0.001, diverged=(0,)), margin=5.0)[1] != "equivalent"
    assert words(arm("a", diverged=(1,)), arm("b", 3.0))[1] == "no difference shown"
    assert words(arm("a", 2.0, diverged=(1,)), arm("b", -1.0))[1] == "better"


def test_contradicted() -> None:
    """What the interval finds rare and the permutation test does not is not shown, and both are said (six seeds)."""
    seeds = np.array([1, 1, 1, 1, 1, -0.15])
    verdict = only([arm("a", noise=0), Measured(name="b", rows=HARD + seeds[:, None], seeds=tuple(range(6)), diverged=())])
    assert verdict.p_holm is not None
    assert verdict.p_holm <= 0.05
    assert verdict.p_flips == pytest.approx(4 / 64, abs=0.01)
    assert verdict.word == "no difference shown"
    assert "but the sign-flip permutation test" in verdict.sentence


@pytest.mark.parametrize("seeds", [3, 5, 8])
def test_large_difference_among_many(seeds: int) -> None:
    """Where seeds hold nearly all of the variance, a difference many times as large is shown, though few seeds have few signs."""
    arms = [arm("baseline", seeds=seeds), *(arm(str(k), seeds=seeds) for k in range(14)), arm("far", 2.0, seeds=seeds)]
    found = judge(arms, "nll", None, "nats")
    assert found[-1].word == "worse"
    assert {verdict.word for verdict in found[1:-1]} == {"no difference shown"}


def test_corrected_for_the_number_of_arms() -> None:
    """What is shown of an arm by itself is shown less among nine others."""
    rows: NDArray[np.float64] = RNG.normal(0, 1, (8, 150))
    shifted = rows + RNG.normal(0, 0.5, (8, 150))
    shifted += 0.034 - (shifted - rows).mean()
    arms = [Measured(name=str(k), rows=each, seeds=tuple(range(8)), diverged=()) for k, each in enumerate((rows, shifted))]
    others = [
        Measured(name=f"o{k}", rows=rows + RNG.normal(0, 0.5, (8, 150)), seeds=tuple(range(8)), diverged=()) for k in range(8)
    ]
    alone, among = judge(arms, "nll", None, "nats")[1], judge([*arms, *others], "nll", None, "nats")[1]
    assert alone.p == among.p
    assert alone.p is not None
    assert among.p_holm is not None
    assert among.p_holm >= 3 * alone.p or among.p_holm == 1
    assert (among.min_detectable or 0) > (alone.min_detectable or 0)
