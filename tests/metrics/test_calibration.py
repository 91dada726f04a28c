"""Temperatures and thresholds, fitted on validation rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from lossworks import metrics
from lossworks.metrics.thresholds import Metric


def drawn(rows: int, factor: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are ``factor`` times too loud for the targets drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(rows, 4)) * 2
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return logits * factor, (p.cumsum(1) > rng.random((rows, 1))).argmax(1)


@pytest.mark.parametrize("factor", [0.3, 1.0, 5.0])
def test_temperature_is_found_again(factor: float) -> None:
    """Logits made too loud or too quiet by a known factor get that factor back, and a better NLL and ECE."""
    logits, target = drawn(20_000, factor)
    temperature = metrics.fit_temperature(logits, target)
    assert temperature == pytest.approx(factor, rel=0.05)
    found = metrics.classify(logits, target, temperature=temperature)
    assert found.metrics["nll"].value <= found.uncalibrated["nll"].value + 1e-9
    assert found.metrics["ece"].value < 0.01


def test_temperature_of_label_sets() -> None:
    """The sigmoid form finds its factor too."""
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(8000, 3)) * 2
    target = rng.random((8000, 3)) < 1 / (1 + np.exp(-logits))
    assert metrics.fit_temperature(logits * 3, target) == pytest.approx(3, rel=0.07)


@pytest.mark.parametrize("factor", [0.04, 0.5, 30.0])
@pytest.mark.parametrize("sets", [False, True])
def test_no_temperature_is_better(factor: float, sets: bool) -> None:
    """Of few rows too, and far from 1: what is found is where the NLL is least."""
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(60, 3)) * 2
    labels = rng.random((60, 3)) < 1 / (1 + np.exp(-logits))
    target = labels if sets else (rng.gumbel(size=(60, 3)) + logits).argmax(1)

    def nll(temperature: float) -> float:
        of = logits * factor / temperature
        if sets:
            return float(np.logaddexp(0, np.where(target, -of, of)).mean())
        return float((np.logaddexp.reduce(of, axis=1) - of[np.arange(60), target]).mean())

    found = metrics.fit_temperature(logits * factor, target)
    assert found != 1.0
    assert nll(found) < min(nll(found * 1.001), nll(found / 1.001))


def test_temperature_counts_weights() -> None:
    """A row of weight two counts like the row twice."""
    logits, target = drawn(200, 2.0)
    weights = np.where(np.arange(200) < 60, 2.0, 1.0)
    twice = np.r_[np.arange(60), np.arange(200)]
    want = metrics.fit_temperature(logits[twice], target[twice])
    assert metrics.fit_temperature(logits, target, weights) == pytest.approx(want, rel=1e-3)


def test_temperature_keeps_its_hands_off() -> None:
    """Too few rows, none at all, every row right, or every row wrong: 1.0."""
    logits, target = drawn(19, 5.0)
    assert metrics.fit_temperature(logits, target) == 1.0
    assert metrics.fit_temperature(logits[:0], target[:0]) == 1.0
    right = np.eye(2)[np.arange(50) % 2] * 3
    assert metrics.fit_temperature(right, np.arange(50) % 2) == 1.0
    assert metrics.fit_temperature(right, 1 - np.arange(50) % 2) == 1.0


@pytest.mark.parametrize("metric", ["f1", "macro_f1", "accuracy"])
@pytest.mark.parametrize("seed", range(4))
def test_no_threshold_is_better(metric: Metric, seed: int) -> None:
    """The tuned threshold reaches the best score of all possible ones, ties between probabilities included."""
    rng = np.random.default_rng(seed)
    truth = rng.random(60) < 0.3
    chance = np.round(np.clip(rng.random(60) * 0.6 + 0.3 * truth, 0, 1), 1 + seed % 2)

    def value(cut: float) -> float:
        if metric == "accuracy":
            return float(accuracy_score(truth, chance >= cut))
        average = "binary" if metric == "f1" else "macro"
        return float(f1_score(truth, chance >= cut, average=average, zero_division=0))

    (found,) = metrics.tune_thresholds(chance, truth, metric=metric)
    assert value(found) == pytest.approx(max(value(cut) for cut in np.r_[chance, 2.0]))


def test_threshold_per_label_and_fallback() -> None:
    """One threshold per column; 0.5 where every row agrees, or where there are too few."""
    rng = np.random.default_rng(0)
    truth = rng.random((300, 3)) < [0.5, 0.1, 0.0]
    chance = np.where(truth, rng.uniform(0.2, 0.4, (300, 3)), rng.uniform(0.0, 0.19, (300, 3)))
    first, second, third = metrics.tune_thresholds(chance, truth)
    assert first == pytest.approx(0.195, abs=0.02)
    assert second == pytest.approx(0.2, abs=0.03)
    assert third == 0.5
    assert metrics.tune_thresholds(chance[:19, 0], truth[:19, 0]) == [0.5]


def test_threshold_prefers_a_half() -> None:
    """Where 0.5 is as good as any, it stays."""
    chance = np.r_[np.linspace(0.0, 0.3, 20), np.linspace(0.7, 1.0, 20)]
    assert metrics.tune_thresholds(chance, chance > 0.5) == [0.5]


def test_threshold_within_standard_errors() -> None:
    """A gain that the rows hardly show leaves 0.5; one that is beyond so many standard errors moves it."""
    rng = np.random.default_rng(0)
    noise, truth = rng.random(200), rng.random(200) < 0.5
    assert metrics.tune_thresholds(noise, truth) != [0.5]
    assert metrics.tune_thresholds(noise, truth, standard_errors=3) == [0.5]
    shifted = np.where(truth, rng.uniform(0.2, 0.4, 200), rng.uniform(0.0, 0.19, 200))
    assert metrics.tune_thresholds(shifted, truth, standard_errors=3)[0] < 0.3


def test_a_label_of_a_few_rows_stays_at_one_half() -> None:
    """Where leaving out a part of the rows leaves nothing that is true or predicted, that counts as an F1 of 0, not as a gain."""
    truth = np.zeros(400, np.int64)
    truth[[0, 20, 40]] = 1
    chance = np.where(truth == 1, 0.2, 0.01)
    assert metrics.tune_thresholds(chance, truth) != [0.5]
    assert metrics.tune_thresholds(chance, truth, standard_errors=3) == [0.5]


def test_a_label_stays_at_the_usual_threshold() -> None:
    """Where its rows do not tell of a better one, a label is cut where others are; where they do, at its own."""
    truth = np.tile([0, 1], 100)
    noise = np.random.default_rng(3).random(200)
    clear = np.where(truth == 1, 0.15, 0.05)
    assert metrics.tune_thresholds(noise, truth, standard_errors=3, usual=0.03) == [0.03]
    assert metrics.tune_thresholds(noise[:10], truth[:10], usual=0.3) == [0.3]
    assert 0.05 < metrics.tune_thresholds(clear, truth, standard_errors=3, usual=0.3)[0] <= 0.15
