"""The points that are tried: as many for every arm, a function of the arm's own finished trials."""

from __future__ import annotations

import itertools

import pytest

from lossworks.core.errors import UnknownName, UsageError
from lossworks.evidence import tuning
from lossworks.tasks import label_task
from lossworks.training import Settings
from lossworks.training.resolving import for_examples

LR = tuning.parse(["lr"])


def settings(**more: str) -> Settings:
    """An arm's, resolved."""
    settings = Settings(**({"optimizer": "sgd:lr=0.1"} | more))  # type: ignore[arg-type]
    return for_examples(settings, label_task("classify", ("a", "b")), 1000)


def rates(trials: int, scores: list[float]) -> list[float]:
    """The rates to try."""
    return [point["lr"] for point in tuning.points(LR, settings(), trials, scores, 0)]


def test_first_points_span_the_range() -> None:
    """Two thirds of the trials stand in equal ratios over four decades around the optimizer's own rate."""
    first = sorted(rates(12, []))
    assert len(first) == 8
    ratios = [b / a for a, b in itertools.pairwise(first)]
    assert ratios == pytest.approx([10**0.5] * 7, rel=1e-3)
    assert first[3] < 0.1 < first[4]


def test_the_rest_go_closer() -> None:
    """Once all of the first have scores, the rest stand between the best one's neighbours, none of them tried before."""
    first = rates(12, [])
    best = sorted(first)[3]
    every = rates(12, [abs(rate - best) for rate in first])
    assert every[:8] == first
    assert all(best / 10**0.5 < rate < best * 10**0.5 for rate in every[8:])
    assert len(set(every)) == 12


@pytest.mark.parametrize("sign", [1, -1])
def test_the_rest_go_further_where_the_best_is_outermost(sign: int) -> None:
    """Where the best is at an end, the rest walk on beyond it as far apart as the first."""
    first = rates(12, [])
    rest = rates(12, [-sign * rate for rate in first])[8:]
    end = max(first) if sign > 0 else min(first)
    assert all((rate > end) if sign > 0 else (rate < end) for rate in rest)
    assert max(rest) / min(rest) > 10


def test_points_wait_for_scores() -> None:
    """While a first trial is missing, only the first can be told; the same scores give the same points."""
    assert len(rates(12, [1.0] * 7)) == 8
    assert rates(12, [1.0] * 8) == rates(12, [1.0] * 8)


def test_other_numbers() -> None:
    """A loss's own number in its range; an arm without it has the rate alone; whole numbers stay whole."""
    both = tuning.parse(["lr", "loss.gamma=0:5"])
    points = tuning.points(both, settings(loss="focal"), 9, [], 0)
    assert all(0 <= point["loss.gamma"] <= 5 for point in points)
    assert all(set(point) == {"lr"} for point in tuning.points(both, settings(loss="mse"), 9, [], 0))
    assert both[1].apply(settings(loss="focal"), 1.5).loss == "focal:gamma=1.5"
    bits = tuning.parse(["model.bits=10:18"])[0]
    assert bits.apply(settings(), 12.4).model == "linear:bits=12"


def test_wrong_specs() -> None:
    """What cannot be tuned is named, with what can."""
    for spec in ("gamma", "loss.gamma", "loss.gamma=5:1", "nothing.gamma=1:2", "loss.gamma=a:b"):
        with pytest.raises(UsageError, match="--tune"):
            tuning.parse([spec])
    with pytest.raises(UsageError, match="something twice"):
        tuning.parse(["lr", "lr"])
    with pytest.raises(UnknownName, match=r"loss.gama.*Did you mean 'loss.gamma'"):
        tuning.check_fits(tuning.parse(["loss.gama=1:2"]), [settings(loss="focal")])
