"""Explanations of many texts together: parts by hand, and the verdict over all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from lossworks.attribution import Explanation
from lossworks.attribution.over_data import parts_of, trial_of
from lossworks.attribution.trial import judge

from .made import Made, made


def explained(text: str, shares: list[float], quantity: str = "logit of yes") -> Explanation:
    """An explanation by words."""
    ends = np.cumsum([len(word) + 1 for word in text.split(" ")])
    spans = np.stack([np.insert(ends[:-1], 0, 0), ends - 1], 1)
    return Explanation(
        text=text,
        quantity=quantity,
        unit="nats",
        value=1.0,
        baseline=0.0,
        spans=spans,
        shares=np.array(shares),
        method="m",
        how="h",
    )


def test_parts_by_hand() -> None:
    """Shares are summed within a text, and over texts whatever the capitals; the mean is of the texts that have the part."""
    found = parts_of(
        [
            explained("Good good film", [1.0, 2.0, 0.5]),
            explained("good bad film", [2.0, -1.0, -0.5]),
            explained("GOOD bad plot", [4.0, -3.0, 9.0]),
            explained("good film", [7.0, 1.0], "logit of no"),
        ]
    )
    assert [(each.quantity, each.texts) for each in found] == [("logit of yes", 3), ("logit of no", 1)]
    (good,), (bad,) = found[0].raising, found[0].lowering  # film comes to 0, and plot stands in one text
    assert (good.part, good.texts, good.total, good.mean.value) == ("good", 3, 9.0, 3.0)
    assert (bad.part, bad.texts, bad.total, bad.mean.value) == ("bad", 2, -4.0, -2.0)
    low, high = stats.t.interval(0.95, 1, -2.0, np.std([-1, -3], ddof=1) / np.sqrt(2))
    assert (bad.mean.low, bad.mean.high) == pytest.approx((low, high))
    assert found[1].raising == ()
    assert found[0].to_json()["raising"][0]["part"] == "good"


def tried(texts: Made, shares: list[np.ndarray], controls: int = 3, seed: int = 0) -> list[Explanation]:
    """Explanations with the given shares, tried beside random controls."""
    rng = np.random.default_rng(seed)
    given = [replace(each, shares=own) for each, own in zip(texts.leave_one_out(), shares, strict=True)]
    beside = [[replace(each, shares=rng.standard_normal(len(each.shares))) for each in given] for _ in range(controls)]
    trials = judge(texts, given, beside, seed)
    return [
        replace(explained("a b", [0.0, 0.0]), text=text, spans=spans, shares=division.shares, trial=trial)
        for text, spans, division, trial in zip(texts.texts, texts.spans, given, trials, strict=True)
    ]


CONTROLS = {"models with shuffled weights": slice(0, 3)}


def test_true_ones_are_trusted() -> None:
    """Over texts that one by one are too few to tell, true shares pass every test; short texts are counted apart."""
    texts = made([5, 6, 8, 3] * 8, labels=3, shortcut=1.0)
    found = trial_of(tried(texts, [each.shares for each in texts.leave_one_out()]), CONTROLS)
    assert found.word == "trust"
    assert (found.tried, found.untried) == (24, 8)
    assert [test.name for test in found.tests] == [
        "above 0.5",
        "the same shares on other parts",
        "random deletions",
        "other labels",
        "models with shuffled weights",
    ]
    assert all(test.found.low > 0 for test in found.tests)
    assert found.to_json()["tests"][0]["value"] == pytest.approx(found.correlation.value - 0.5)  # type: ignore[union-attr]


def test_wrong_ones_are_not() -> None:
    """Random shares, those of another label, and those of the opposite sign are shown not to be trusted."""
    texts, rng = made([8, 12] * 20, labels=3), np.random.default_rng(1)
    true = [each.shares for each in texts.leave_one_out()]
    for shares in (
        [rng.standard_normal(len(each)) for each in true],
        [each.shares for each in texts.leave_one_out(label=1)],
        [-each for each in true],
    ):
        found = trial_of(tried(texts, shares), CONTROLS)
        assert found.word == "do not trust"
        assert found.sentence.startswith("The shares do not foretell what deletions do (above 0.5")


def test_level_over_data() -> None:
    """Random shares of few texts are never trusted in 15 data sets, and controls that do as well are no reason to trust."""
    rng = np.random.default_rng(2)
    for seed in range(15):
        texts = made([7] * 10, seed=seed)
        shares = [rng.standard_normal(7) for _ in range(10)]
        assert trial_of(tried(texts, shares, seed=seed), CONTROLS).word != "trust"
    texts = made([9] * 20)
    true = texts.leave_one_out()
    trials = judge(texts, true, [true] * 3)
    same = [replace(explained("a b", [0.0, 0.0]), trial=trial) for trial in trials]
    found = trial_of(same, CONTROLS)
    assert found.word == "not shown"
    assert "models with shuffled weights" in found.sentence


def test_nothing_to_test() -> None:
    """One text alone shows nothing of others."""
    texts = made([8])
    found = trial_of(tried(texts, [each.shares for each in texts.leave_one_out()]), CONTROLS)
    assert (found.word, found.tests) == ("not shown", ())
