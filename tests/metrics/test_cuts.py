"""A threshold for each label beside one for all: what each does on rows that neither was tuned on, and whether it is worth it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import lossworks
from lossworks import metrics
from lossworks.report import cuts

RNG = np.random.default_rng(0)


def labels(count: int, *, apart: float = 0.0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Logits and sets of two labels; ``apart``: how far from 0 their best cuts are, to either side."""
    truth = RNG.integers(0, 2, (count, 2))
    return RNG.normal(size=(count, 2)) + 2.5 * (truth - 0.5) + np.array([-apart, apart]), truth


def chance(logit: float) -> float:
    """The probability that a logit is."""
    return float(1 / (1 + np.exp(-logit)))


def test_figures_are_those_of_the_metrics() -> None:
    """Each of the three is what ``multilabel`` says with those thresholds, label by label; the gain is their difference."""
    logits, truth = labels(300, apart=1.0)
    weights, own, one = RNG.uniform(0.5, 2, 300), [chance(-1.0), chance(1.0)], 0.4
    found = metrics.compare_cuts(logits, truth, own, one, temperature=1.3, weights=weights)
    for name, cut in (("own", own), ("one", [one] * 2), ("half", [0.5] * 2)):
        told = metrics.multilabel(logits, truth, thresholds=cut, temperature=1.3, weights=weights)
        assert [row[name] for row in found["labels"]] == [pytest.approx(row) for row in told.per_class]
        for metric in ("macro_f1", "micro_f1"):
            assert found[metric][name] == pytest.approx(told.metrics[metric].value)
    assert found["difference"]["value"] == pytest.approx(found["macro_f1"]["own"] - found["macro_f1"]["one"])
    assert found["difference"]["low"] > 0
    assert found["difference"]["p"] < 0.01


def test_nothing_is_claimed_of_noise() -> None:
    """Of labels whose best cut is the same, cuts tuned on other rows are seldom called worth more, or worse."""
    claims, tries = 0, 60
    for _ in range(tries):
        logits, truth = labels(80)
        tuned = metrics.tune_thresholds(1 / (1 + np.exp(-logits)), truth)
        fresh, target = labels(80)
        apart = metrics.compare_cuts(fresh, target, tuned, 0.5)["difference"]
        claims += apart is not None and apart["p"] <= 0.05
    assert claims <= 8  # .05 of 60 and more than two standard deviations


def test_repeated_texts_count_once() -> None:
    """Rows that recur do not narrow the interval."""
    logits, truth = labels(60, apart=0.6)
    own = [chance(-0.6), chance(0.6)]
    once = metrics.compare_cuts(logits, truth, own, 0.5)["difference"]
    twice = metrics.compare_cuts(
        *(np.repeat(each, 2, 0) for each in (logits, truth)), own, 0.5, groups=np.repeat(np.arange(60), 2)
    )
    assert twice["difference"] == pytest.approx(once)


@pytest.mark.parametrize(("count", "own"), [(10, [0.3, 0.7]), (60, [0.5, 0.5])])
def test_nothing_to_tell(count: int, own: list[float]) -> None:
    """Of a few texts, or the same cuts, there is no interval."""
    assert metrics.compare_cuts(*labels(count), own, 0.5)["difference"] is None


@pytest.mark.parametrize(
    ("own", "apart", "said"),
    [
        ([0.4, 0.4], None, "No label has a threshold of its own"),
        ([0.2, 0.4], None, "cannot be told from these test texts"),
        (
            [0.2, 0.4],
            {"value": 0.03, "low": -0.01, "high": 0.07, "p": 0.2},
            "Not shown that thresholds of their own are worth more",
        ),
        ([0.2, 0.4], {"value": 0.03, "low": 0.01, "high": 0.07, "p": 0.02}, "Thresholds of their own are worth more than 0.4"),
        ([0.2, 0.4], {"value": -0.03, "low": -0.07, "high": -0.01, "p": 0.02}, "Thresholds of their own are worse than 0.4"),
    ],
)
def test_words(own: list[float], apart: dict[str, float] | None, said: str) -> None:
    """What is not shown is not claimed, and the simpler choice is named then, as a flag."""
    told = cuts.sentence({"result": {"thresholds": own, "cuts": {"one": 0.4, "difference": apart}}})
    assert said in told
    assert ("--threshold 0.4" in told) == (apart is not None and apart["p"] > 0.05)


def test_fitted_and_reported(tmp_path: Path) -> None:
    """A fit tells its test part by all three, the one that labels stay at tuned on all decisions; the report has the table."""
    draw = np.random.default_rng(1)
    rows = []
    for _ in range(240):
        own = [label for label in "abc" if draw.random() < 0.3]
        rows.append((" ".join([*(word for word in own if draw.random() < 0.8), *draw.choice(list("uvwxyz"), 4)]), tuple(own)))
    model = lossworks.fit(rows, task="multilabel", model="linear:bits=10,chars=0", epochs=8, out=tmp_path / "run")
    result = model.record["result"]
    found, metric = result["cuts"], result["metrics"]
    assert found["macro_f1"]["own"] == pytest.approx(metric["macro_f1"]["value"])
    assert found["micro_f1"]["own"] == pytest.approx(metric["micro_f1"]["value"])
    assert sum(cut == found["one"] for cut in result["thresholds"]) >= 2  # 24 validation rows show little of a label
    page = (tmp_path / "run/report.html").read_text("utf-8")
    assert cuts.sentence(model.record) in page
    assert f"{found['labels'][2]['half']['f1']:.3f}</td></tr>" in page
