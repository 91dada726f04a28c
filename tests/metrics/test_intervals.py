"""The intervals hold what they promise: simulated data sets, each with a known truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import stdtrit

from lossworks import metrics
from lossworks.core.errors import UsageError
from lossworks.metrics import Evaluation, intervals
from lossworks.metrics.student import quantile

SETS = 300
Maker = Callable[[np.random.Generator, int], Evaluation]


def two_classes(rng: np.random.Generator, rows: int) -> Evaluation:
    """A good, over-confident model."""
    target = rng.integers(0, 2, rows)
    margin = rng.normal(2.5, 2.0, rows) * np.where(target == 1, 1, -1)
    return metrics.classify(np.stack([np.zeros(rows), margin * 1.6], 1), target, seed=int(rng.integers(1 << 30)))


def near_perfect(rng: np.random.Generator, rows: int) -> Evaluation:
    """97 % accuracy: most small test sets hold hardly a mistake."""
    target = rng.integers(0, 2, rows)
    margin = rng.normal(3.8, 2.0, rows) * np.where(target == 1, 1, -1)
    return metrics.classify(np.stack([np.zeros(rows), margin], 1), target, seed=int(rng.integers(1 << 30)))


def five_classes(rng: np.random.Generator, rows: int) -> Evaluation:
    """Classes of unequal size, calibrated by construction."""
    logits = rng.normal(size=(rows, 5)) * 2 + np.log([0.4, 0.25, 0.15, 0.1, 0.1])
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    target = (p.cumsum(1) > rng.random((rows, 1))).argmax(1)
    return metrics.classify(logits, target, seed=int(rng.integers(1 << 30)))


def label_sets(rng: np.random.Generator, rows: int) -> Evaluation:
    """Three labels that depend on each other."""
    mood = rng.normal(size=(rows, 1))
    logits = rng.normal(size=(rows, 3)) + mood * 1.5
    target = rng.random((rows, 3)) < 1 / (1 + np.exp(-2 * logits))
    return metrics.multilabel(logits, target, seed=int(rng.integers(1 << 30)))


def numbers(rng: np.random.Generator, rows: int) -> Evaluation:
    """Heavy-tailed errors, variance by row."""
    target = rng.normal(size=rows)
    return metrics.regress(target + rng.normal(size=rows) * np.exp(rng.normal(-1, 0.5, rows)), target)


def weighted(rng: np.random.Generator, rows: int) -> Evaluation:
    """Rows of very unequal weight, which has nothing to do with how hard they are."""
    target = rng.integers(0, 2, rows)
    margin = rng.normal(1.5, 2.0, rows) * np.where(target == 1, 1, -1)
    weights = rng.gamma(1.0, size=rows) + 0.1
    logits = np.stack([np.zeros(rows), margin], 1)
    return metrics.classify(logits, target, weights=weights, seed=int(rng.integers(1 << 30)))


@pytest.mark.parametrize(
    ("maker", "rows"),
    [(two_classes, 60), (near_perfect, 54), (five_classes, 100), (label_sets, 60), (numbers, 60), (weighted, 150)],
)
def test_coverage(maker: Maker, rows: int) -> None:
    """Of 300 small data sets about 95 % have the truth inside, for every metric."""
    rng = np.random.default_rng(7)
    truth = {key: metric.value for key, metric in maker(rng, 400_000).metrics.items()}
    inside: Counter[str] = Counter()
    for _ in range(SETS):
        found = maker(rng, rows).metrics
        inside.update(key for key, metric in found.items() if metric.low <= truth[key] <= metric.high)
    share = {key: inside[key] / SETS for key in truth}
    assert min(share.values()) >= 0.90, share
    # Near the edge of its range (an ECE near 0, an F1 near 1) an interval can err on one side only, and errs less.
    edge = {"ece", "macro_f1"} if maker is near_perfect else {"ece"}
    assert max(value for key, value in share.items() if key not in edge) <= 0.995, share


def test_intervals_hold_their_value_and_shrink() -> None:
    """Low ≤ value ≤ high, always; four times the rows, about half the width."""
    rng = np.random.default_rng(0)
    small, large = two_classes(rng, 1000).metrics, two_classes(rng, 4000).metrics
    for key in small:
        assert small[key].low <= small[key].value <= small[key].high
        ratio = (large[key].high - large[key].low) / (small[key].high - small[key].low)
        assert 0.35 < ratio < 0.7, key


def test_perfect_predictions_are_not_certain() -> None:
    """54 right answers out of 54 are evidence for at least 93 %, not for 100 %."""
    target = np.arange(54) % 2
    found = metrics.classify(np.eye(2)[target] * 20, target).metrics
    assert found["accuracy"].low == pytest.approx(0.9336, abs=1e-4)
    assert found["accuracy"].high == 1
    assert 0.85 < found["macro_f1"].low < 0.97


def test_wilson_by_hand() -> None:
    """Ten of twenty: 0.2993 to 0.7007 (Agresti and Coull 1998)."""
    found = intervals.proportion(np.arange(20) < 10, np.ones(20))
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.2993, 0.7007), abs=1e-4)


def test_one_row_settles_nothing() -> None:
    """A single row gives the widest intervals there are, and JSON says null where there is no bound."""
    found = metrics.classify(np.array([[0.0, 1.0]]), np.array([1])).to_json(["a", "b"])["metrics"]
    assert found["nll"]["low"] == 0
    assert found["nll"]["high"] is None
    assert found["brier"]["high"] == 2


def test_equal_weights_are_no_weights() -> None:
    """A common factor on all weights changes nothing."""
    logits = np.random.default_rng(0).normal(size=(80, 3))
    target = np.arange(80) % 3
    plain = metrics.classify(logits, target).to_json(list("abc"))["metrics"]
    scaled = metrics.classify(logits, target, weights=np.full(80, 7.0)).to_json(list("abc"))["metrics"]
    for key, metric in plain.items():
        assert scaled[key] == pytest.approx(metric), key


def test_the_same_twice() -> None:
    """Equal arguments, equal results, to the last bit; another seed moves the ECE's interval only."""
    rng = np.random.default_rng(0)
    logits, target = rng.normal(size=(300, 3)), rng.integers(0, 3, 300)
    first, again, other = (metrics.classify(logits, target, seed=seed).metrics for seed in (1, 1, 2))
    assert first == again
    assert {key for key in first if first[key] != other[key]} == {"ece"}


def repeated(rng: np.random.Generator, rows: int, copies: int) -> dict[str, Evaluation]:
    """``rows`` independent rows, each so many times, scored by every kind of task."""
    again = np.repeat(np.arange(rows), copies)
    logits, target = rng.normal(size=(rows, 3)), rng.integers(0, 3, rows)
    sets, numbers = rng.random((rows, 3)) < 0.4, rng.normal(size=rows)
    found = {}
    for name, ids in (("grouped", again * 7), ("independent", None)):
        found[f"{name} classes"] = metrics.classify(logits[again], target[again], groups=ids)
        found[f"{name} sets"] = metrics.multilabel(logits[again], sets[again], groups=ids)
        found[f"{name} numbers"] = metrics.regress(logits[again, 0], numbers[again], groups=ids)
    found["once classes"] = metrics.classify(logits, target)
    found["once sets"] = metrics.multilabel(logits, sets)
    found["once numbers"] = metrics.regress(logits[:, 0], numbers)
    return found


def test_repeats_are_no_evidence() -> None:
    """Rows that recur four times, as groups, have the metrics and intervals of each once; as independent rows narrower ones."""
    found = repeated(np.random.default_rng(3), 40, 4)
    for kind in ("classes", "sets", "numbers"):
        grouped, once, independent = (found[f"{name} {kind}"].metrics for name in ("grouped", "once", "independent"))
        for key, metric in once.items():
            assert grouped[key].to_json() == pytest.approx(metric.to_json(), rel=1e-9), key
            assert independent[key].high - independent[key].low < 0.8 * (metric.high - metric.low), key


def test_coverage_of_groups() -> None:
    """Texts that recur one to nine times, with labels of their own: the groups' intervals hold the truth in 95 % of sets."""
    rng, inside = np.random.default_rng(11), Counter[str]()

    def drawn(texts: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        groups = np.repeat(np.arange(texts), rng.integers(1, 10, texts))
        margin = rng.normal(0, 2, texts)[groups]
        return (
            np.stack([np.zeros(len(margin)), margin], 1),
            (rng.random(len(margin)) < 1 / (1 + np.exp(-margin))).astype(int),
            groups,
        )

    logits, target, _ = drawn(60_000)
    truth = {key: metric.value for key, metric in metrics.classify(logits, target).metrics.items()}
    for _ in range(SETS):
        logits, target, groups = drawn(60)
        found = metrics.classify(logits, target, groups=groups).metrics
        inside.update(key for key, metric in found.items() if metric.low <= truth[key] <= metric.high)
    assert all(inside[key] / SETS >= 0.9 for key in truth), inside


def test_groups_by_hand() -> None:
    """Eight rows of two texts are two rows: Wilson's interval of one of two. One id for each row is wanted."""
    logits, target, texts = np.tile(np.eye(2), (4, 1)) * 3, np.zeros(8, int), np.array(list("abababab"))
    found = metrics.classify(logits, target, groups=texts).metrics["accuracy"]
    by_hand = intervals.proportion(np.array([True, False]), np.ones(2))
    assert (found.value, found.low, found.high) == pytest.approx((by_hand.value, by_hand.low, by_hand.high))
    with pytest.raises(UsageError, match=r"groups has shape \(2,\), wanted one id for each of 8 rows"):
        metrics.classify(logits, target, groups=texts[:2])


def test_few_equal_rows_settle_nothing() -> None:
    """Two equal errors tell nothing of a third: the interval is the whole range. Twenty do, and so do two rates of texts."""
    two = metrics.regress(np.array([1.0, 2.0]), np.array([2.0, 3.0])).metrics
    assert [(two[key].value, two[key].low, two[key].high) for key in ("mse", "rmse", "mae")] == [(1, 0, np.inf)] * 3
    right = metrics.regress(np.array([1.0, 2.0]), np.array([1.0, 2.0])).metrics
    assert (right["r2"].value, right["r2"].low, right["r2"].high) == (1, -np.inf, 1)
    sure = metrics.classify(np.eye(2)[[0, 1]] * 1e3, np.array([0, 1])).metrics
    assert [(sure[key].value, sure[key].low, sure[key].high) for key in ("brier", "ece")] == [(0, 0, 2), (0, 0, 1)]
    many = metrics.regress(np.arange(20.0), np.arange(20.0) + 1).metrics["mse"]
    assert (many.low, many.high) == (1, 1)
    rates = intervals.ratio(np.zeros(2), np.ones(2))
    assert (rates.low, rates.high) == (0, 0)


@pytest.mark.parametrize("freedom", [0.5, 2, 2.5, 3, 9, 65, 299.9, 300.1, 545, 4999.5, 1e7])
@pytest.mark.parametrize("share", [0.5, 0.6, 0.975, 0.995])
def test_quantiles_of_student_are_scipys(freedom: float, share: float) -> None:
    """To 12 digits, of few degrees of freedom and of many."""
    assert quantile(freedom, share) == pytest.approx(stdtrit(freedom, share), rel=1e-12, abs=1e-12)
