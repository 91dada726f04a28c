"""The trial of explanations: how often it trusts wrong ones, how often true ones, and what it says of what cannot be tried."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pytest
from scipy import stats

from lossworks.attribution.explanation import Division
from lossworks.attribution.trial import DELETIONS, judge

from .made import Made, made, told

SIZES = [5, 6, 7, 8, 9, 10, 14, 20, 30, 45] * 15


def trusted(texts: Made, shares: list[np.ndarray], seed: int = 0) -> float:
    """How often the verdict is trust."""
    return float(np.mean([each.word == "trust" for each in told(texts, shares, seed)]))


def test_wrong_ones_are_rarely_trusted() -> None:
    """Random numbers and true shares on other parts are trusted in 5 % of texts at most, shares that are all alike never."""
    texts, rng = made(SIZES, shortcut=2.0), np.random.default_rng(0)
    true = [each.shares for each in texts.leave_one_out()]
    assert trusted(texts, [rng.standard_normal(len(each)) for each in true]) <= 0.05
    assert trusted(texts, [rng.permutation(each) for each in true]) <= 0.05
    assert trusted(texts, [np.full(len(each), 0.3) for each in true]) == 0
    assert trusted(texts, [-each for each in true]) == 0


@pytest.mark.parametrize("shared", [0.0, 3.0])
def test_wrong_class(shared: float) -> None:
    """Shares of another label are not trusted, not even where labels have nearly all of their evidence in common."""
    texts = made(SIZES, labels=3, shared=shared)
    assert trusted(texts, [each.shares for each in texts.leave_one_out(label=1)]) <= 0.05


def test_true_ones_are_trusted() -> None:
    """Leave-one-out of texts with a shortcut is trusted in 95 % of texts, short and long, with several labels and with one."""
    for labels, sizes in ((1, range(5, 11)), (4, range(5, 11)), (1, (12, 20, 50))):
        texts = made([*sizes] * 20, labels=labels, shortcut=4.0, pairs=0.05, seed=labels)
        assert trusted(texts, [each.shares for each in texts.leave_one_out()]) >= 0.95


def test_order_and_amount() -> None:
    """Shares of another unit foretell the order as well, but no amounts; one large share settles the amounts, not the order."""
    texts, rng = made([12] * 30), np.random.default_rng(0)
    true = [each.shares for each in texts.leave_one_out()]
    own, tenfold = (told(texts, shares) for shares in (true, [10 * each for each in true]))
    np.testing.assert_allclose(*([each.facts["correlation"] for each in trials] for trials in (own, tenfold)))
    assert all(each.facts["amount"] > 0.8 for each in own)
    assert all(each.facts["amount"] < -20 for each in tenfold)
    large = made([6] * 30, shortcut=12.0)
    shares = [np.append(each.shares[0], rng.permutation(each.shares[1:])) for each in large.leave_one_out()]
    found = told(large, shares)
    assert np.mean([each.word == "trust" for each in found]) > 0.9
    assert np.mean([each.sentence.startswith("The large shares") for each in found]) > 0.7


def test_effects_that_do_not_add_up() -> None:
    """Where each part has a twin that does as well, single deletions foretell little of several, and are not trusted."""
    texts = made([20] * 60, pairs=0.0)
    for effects, pairs in zip(texts.effects, texts.pairs, strict=True):
        twins = np.arange(0, 20, 2)
        effects[0] *= 0.1
        effects[0, twins] = effects[0, twins + 1] = 2 + effects[0, twins]  # the two together 2, and each alone
        pairs[twins, twins + 1] = -2
    assert trusted(texts, [each.shares for each in texts.leave_one_out()]) <= 0.05


def test_figures_by_hand() -> None:
    """Of five parts all pairs are deleted; correlation and p are those of all arrangements, worked out one by one."""
    texts = made([5], pairs=0.3, seed=3)
    (true,) = texts.leave_one_out()
    (found,) = judge(texts, [true], [])
    pairs = [list(pair) for pair in combinations(range(5), 2)]
    kept = np.ones((10, 5), np.bool_)
    for row, pair in zip(kept, pairs, strict=True):
        row[pair] = False
    lost = true.value - texts.values([kept])[0]

    def reached(shares: np.ndarray) -> float:
        return float(stats.spearmanr([shares[pair].sum() for pair in pairs], lost).statistic)

    every = np.array([reached(true.shares[list(order)]) for order in permutations(range(5))])
    facts = found.facts
    assert facts["correlation"] == pytest.approx(reached(true.shares))
    assert facts["p"] == np.mean(every >= reached(true.shares) - 1e-12)
    assert facts["chance"] == pytest.approx(every.mean())
    largest = np.argsort(-true.shares)[:2]
    assert facts["top"] == pytest.approx(lost[pairs.index(sorted(largest.tolist()))])
    assert facts["random"] == pytest.approx(lost.mean())
    assert facts["random_low"] < facts["random"] < facts["random_high"]
    foretold = np.array([true.shares[pair].sum() for pair in pairs])
    assert facts["amount"] == pytest.approx(1 - ((lost - foretold) ** 2).sum() / ((lost - lost.mean()) ** 2).sum())
    assert facts["amount_low"] < facts["amount"] < facts["amount_high"]
    assert facts["deletions"] == 10
    assert facts["parts"] == 2


def test_deletions_are_different_and_spare_what_is_fixed() -> None:
    """Of many parts, 64 different quarters are deleted, never the part that must stay."""
    seen: list[np.ndarray] = []
    texts = replace(made([40]), always=7)
    own = Made.readings
    texts_seen = type("Seen", (Made,), {"readings": lambda self, kept: (seen.extend(kept), own(self, kept))[1], "__slots__": ()})
    watched = texts_seen(texts.texts, texts.spans, texts.effects, texts.pairs, 7)
    judge(watched, texts.leave_one_out(), [])
    kept, last = seen[0][:-1], seen[0][-1]
    assert len(np.unique(kept, axis=0)) == len(kept) == DELETIONS
    assert set((~kept).sum(1).tolist()) == {10} == {int((~last).sum())}
    assert kept[:, 7].all()
    shares = np.where(np.arange(40) == 7, -np.inf, texts.leave_one_out()[0].shares)
    assert set(np.flatnonzero(~last)) == set(np.argsort(-shares)[:10].tolist())


def test_controls_and_other_labels() -> None:
    """Shares that a control, or another label, is foretold by as well are not shown to be of this model, or of this label."""
    texts = made([20], labels=2, pairs=0.0)
    true = texts.leave_one_out()
    (found,) = judge(texts, true, [true])
    assert (found.word, "shuffled weights foretell as much" in found.sentence) == ("not shown", True)
    alike = replace(texts, effects=[np.stack([each[0], each[0]]) for each in texts.effects])
    (found,) = judge(alike, true, [])
    assert (found.word, "what becomes of label 1" in found.sentence) == ("not shown", True)
    (found,) = judge(texts, true, [])
    assert found.word == "trust"


def test_nothing_to_try() -> None:
    """Few parts or thousands, shares that are infinite or all alike, and quantities that do not move are said to be so."""
    texts = replace(made([4, 2001, 8, 8, 8]), nothing=5.0)
    texts.effects[4][:], texts.pairs[4][:] = 1e-8 * texts.effects[4], 0  # beside 5 this is rounding
    shares = [np.arange(4.0), np.arange(2001.0), np.full(8, np.inf), np.full(8, 0.1), np.arange(8.0)]
    found = judge(texts, [Division(5.0, 0.0, each) for each in shares], [])
    assert [each.facts["nothing"] for each in found] == ["few", "many", "infinite", "shares", "effects"]
    assert {each.word for each in found} == {"not shown"}


def test_infinite_effects() -> None:
    """Deletions that make a quantity infinite have a rank like others; what is lost on average is not told then."""
    texts = made([10], pairs=0.0)

    class Endless(Made):
        __slots__ = ()

        def readings(self, kept):  # type: ignore[no-untyped-def]
            ((values, others),) = Made.readings(self, kept)
            return [(np.where(kept[0][:, 0], values, -np.inf), others)]

    texts = Endless(texts.texts, texts.spans, texts.effects, texts.pairs)
    shares = texts.leave_one_out()[0].shares + 100 * (np.arange(10) == 0)
    (found,) = judge(texts, [replace(texts.leave_one_out()[0], shares=shares)], [])
    assert found.facts["correlation"] > 0.9
    assert found.facts["random"] is None
    assert found.word == "not shown"


def test_a_text_is_tried_the_same_whatever_stands_beside_it() -> None:
    """Seed and text decide the deletions and permutations; another seed draws others."""
    texts = made([8, 15, 30])
    true = texts.leave_one_out()
    together = judge(texts, true, [], seed=1)
    alone = judge(texts.some(1, 2), true[1:2], [], seed=1)
    assert together[1] == alone[0]
    other = judge(texts, true, [], seed=2)
    assert other[1].facts["correlation"] != alone[0].facts["correlation"]


def test_words() -> None:
    """Above the mark with the whole interval is trust, below it is not, and between is not shown; each failed test is told."""
    from lossworks.attribution.verdict import verdict

    good = {
        "deletions": 64, "parts": 5, "unit": "nats", "correlation": 0.9, "low": 0.8, "high": 0.95, "p": 0.005, "chance": 0.0,
        "amount": 0.2, "amount_low": 0.1, "amount_high": 0.4,
        "controls": [0.1, 0.2], "others": {"b": -0.5}, "top": 2.0, "random": 0.5, "random_low": 0.3, "random_high": 0.7,
    }  # fmt: skip
    assert verdict(good).word == "trust"
    assert (
        "0.90 (0.80 to 0.95), R² 0.20 with 64 random deletions of 5 parts; 0.15 with shuffled weights" in verdict(good).sentence
    )
    assert "it is 2 nats less, without 5 random ones 0.5 (0.3 to 0.7)" in verdict(good).sentence
    below = {"correlation": 0.2, "low": -0.1, "high": 0.49, "p": 0.2}
    assert verdict(good | below).word == "do not trust"
    assert verdict(good | below | {"amount_high": 0.6}).word == "not shown"
    large = verdict(good | below | {"amount": 0.8, "amount_low": 0.6, "amount_high": 0.9})
    assert (large.word, large.sentence.startswith("The large shares foretell")) == ("trust", True)
    assert verdict(good | {"amount": None, "amount_low": None, "amount_high": None}).word == "trust"
    failing = {
        "may be below 0.5": {"correlation": 0.6, "low": 0.45, "high": 0.7},
        "(p = 0.03)": {"p": 0.03},
        "shuffled weights": {"controls": [0.9, 0.95]},
        "what becomes of b": {"others": {"a": 0.2, "b": 0.91}},
        "take as much": {"top": 0.4},
    }
    for said, change in failing.items():
        found = verdict(good | change)
        assert found.word == "not shown"
        assert said in found.sentence
