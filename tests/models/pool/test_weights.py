"""Weights that make held-out outcomes most probable."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax

from lossworks.models.pool import Rule
from lossworks.models.pool.weights import left_open, mixture, mixture_by_context, product

N, V = 4000, 5


def drawn(seed: int, *mixed: float) -> tuple[np.ndarray, np.ndarray]:
    """Random answers of as many sources, and outcomes drawn from their mixture."""
    draw = np.random.default_rng(seed)
    answers = log_softmax(2 * draw.normal(size=(len(mixed), N, V)), 2)
    p = np.einsum("s,snv->nv", np.array(mixed), np.exp(answers))
    return answers, (p.cumsum(1) > draw.random((N, 1))).argmax(1)


def said(answers: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Log-probabilities of the outcomes by source."""
    return np.take_along_axis(answers, targets[None, :, None], 2)[..., 0]


def value(rule: Rule, answers: np.ndarray, targets: np.ndarray) -> float:
    """The mean log-probability of the outcomes."""
    return float(said(rule.combine(answers)[None], targets).mean())


def test_em_finds_the_best_of_a_grid() -> None:
    """The weights are those of a fine grid's best point to 1e-4."""
    logp = said(*drawn(0, 0.7, 0.3))
    grid = np.linspace(0, 1, 20001)[1:-1]
    values = [np.log(w * np.exp(logp[0]) + (1 - w) * np.exp(logp[1])).mean() for w in grid]
    assert mixture(logp)[0] == pytest.approx(grid[int(np.argmax(values))], abs=1e-4)


def test_em_with_weights_of_positions() -> None:
    """A position that counts twice is as good as two."""
    logp = said(*drawn(1, 0.5, 0.5))
    twice = np.concatenate([logp, logp[:, :100]], 1)
    assert mixture(logp, np.where(np.arange(N) < 100, 2.0, 1.0)) == pytest.approx(mixture(twice), abs=1e-6)


def test_silence_is_no_vote() -> None:
    """Where sources are silent at random, no weights nearby are better than those found."""
    answers, targets = drawn(2, 0.6, 0.3, 0.1)
    answers[np.random.default_rng(0).random((3, N)) < 0.4] = np.nan
    spoken = ~np.isnan(answers[..., 0]).all(0)
    logp = said(answers[:, spoken], targets[spoken])
    best = mixture(logp)
    reached = Rule("linear", best).of_targets(logp, V).mean()
    for move in ((0.01, -0.01, 0), (-0.01, 0.01, 0), (0.01, 0, -0.01), (0, 0.01, -0.01)):
        assert Rule("linear", best + np.array(move)).of_targets(logp, V).mean() < reached


def test_no_source_speaks() -> None:
    """Nothing can be found where nothing is said."""
    with pytest.raises(ValueError, match="no source"):
        mixture(np.full((2, 5), np.nan))


def test_product_is_at_its_maximum() -> None:
    """No exponents nearby make the outcomes more probable, and an anti-expert gets an exponent below 0."""
    draw = np.random.default_rng(3)
    answers = log_softmax(draw.normal(size=(2, N, V)), 2)
    truth = log_softmax(1.5 * answers[0] - 0.5 * answers[1], 1)
    targets = (np.exp(truth).cumsum(1) > draw.random((N, 1))).argmax(1)
    rule = product(answers, targets)
    assert rule.weights == pytest.approx([1.5, -0.5], abs=0.15)
    for move in ((0.02, 0), (-0.02, 0), (0, 0.02), (0, -0.02)):
        assert value(Rule("log_linear", rule.weights + np.array(move)), answers, targets) < value(rule, answers, targets)


@pytest.mark.parametrize("by_context", [False, True])
def test_few_positions_do_not_let_exponents_run_away(by_context: bool) -> None:
    """Eight positions that one source happens to get all right, and the other all wrong, do not make that one an anti-expert."""
    targets = np.arange(8) % 2
    right = log_softmax(0.3 * np.eye(2)[targets], 1)
    wrong = log_softmax(0.3 * np.eye(2)[1 - targets], 1)
    rule = product(np.stack([right, wrong]), targets, by_context=by_context)
    assert 0.5 < rule.weights[0] < 0.7
    assert 0.3 < rule.weights[1] < 0.5


@pytest.mark.parametrize("kind", ["linear", "log_linear"])
def test_by_context_sees_who_is_sure(kind: str) -> None:
    """Sources that know only where they are sure: weights by context gain on outcomes they were not fitted on."""
    draw = np.random.default_rng(4)
    truth = draw.integers(0, V, 2 * N)
    knows = draw.random(2 * N) < 0.5
    sure, vague = 3 * np.eye(V)[truth] + draw.normal(size=(2 * N, V)), draw.normal(size=(2 * N, V))
    answers = log_softmax(np.stack([np.where(knows[:, None], sure, vague), np.where(knows[:, None], vague, sure)]), 2)
    here, there = (answers[:, :N], truth[:N]), (answers[:, N:], truth[N:])
    flat, adapted = product(*here), product(*here, by_context=True)
    if kind == "linear":
        flat, adapted = Rule("linear", mixture(said(*here))), mixture_by_context(*here)
    assert value(adapted, *there) > value(flat, *there) + 0.01


def test_equal_sources_are_told() -> None:
    """Of two equal sources only the sum of their weights is told; of others each is."""
    logp = said(*drawn(5, 0.6, 0.4))
    three = logp[[0, 1, 1]]
    weights = mixture(three)
    assert left_open(three, weights) == [1, 2]
    assert weights[1] == pytest.approx(weights[2])
    assert left_open(logp, mixture(logp)) == []
