"""The noise matrix and the loss of given labels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lossworks.checks.label_noise import PRIOR, label_loss, noise_matrix, pooled


def planted(rows: int = 6000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """log P(true | text), true and given labels of three classes, and the matrix that made the latter of the former."""
    draw = np.random.default_rng(seed)
    noise = np.array([[0.9, 0.05, 0.05], [0.3, 0.7, 0.0], [0.02, 0.08, 0.9]])
    p = draw.dirichlet([0.1] * 3, rows)
    true = (p.cumsum(1) < draw.random(rows)[:, None]).sum(1)
    given = (noise[true].cumsum(1) < draw.random(rows)[:, None]).sum(1)
    return np.log(np.maximum(p, 1e-12)), true, given, noise


def test_matrix_is_found() -> None:
    """Where the model's answers are those of the true labels, the matrix is the planted one, but for its prior's pull."""
    logp, _, given, noise = planted()
    found = noise_matrix(logp, given)
    np.testing.assert_allclose(found.sum(1), 1)
    pull = PRIOR / (1 + PRIOR)  # that of a class of mean size
    assert np.abs(found - noise).max() < pull * 0.3 + 0.03


def test_matrix_is_a_mode() -> None:
    """No matrix near the one found has a higher posterior, with the prior at the share of mistakes that it tells itself."""
    logp, _, given, _ = planted(400)
    found = noise_matrix(logp, given)
    p = np.exp(logp)
    weights = p * found[:, given].T
    wrong = 1 - (weights[np.arange(400), given] / weights.sum(1)).mean()
    alpha = PRIOR * 400 / 3 * ((1 - wrong) * np.eye(3) + wrong * (1 - np.eye(3)) / 2)

    def posterior(noise: np.ndarray) -> float:
        return float(np.log((p * noise[:, given].T).sum(1)).sum() + (alpha * np.log(noise)).sum())

    draw = np.random.default_rng(1)
    for _ in range(50):
        other = found * np.exp(0.05 * draw.standard_normal((3, 3)))
        assert posterior(other / other.sum(1, keepdims=True)) < posterior(found) + 1e-3


def test_loss_is_that_of_bayes() -> None:
    """-log of P(label | text) P(given | label) over its sum, in the given labels' own column."""
    logp, _, given, _ = planted(300)
    joint = np.exp(logp) * noise_matrix(logp, given)[:, given].T
    wanted = -np.log(joint[np.arange(300), given] / joint.sum(1))
    np.testing.assert_allclose(label_loss(logp, given), wanted, rtol=1e-9, atol=1e-12)


def test_matrix_ranks_better_than_the_text_alone() -> None:
    """Mistakes that go one way more than another are found better with the matrix."""
    logp, true, given, _ = planted()
    wrong = true != given
    assert auc(wrong, label_loss(logp, given)) > auc(wrong, -logp[np.arange(len(given)), given]) + 0.005


def test_unknown_labels_and_logits_of_any_size() -> None:
    """A label that no other row has costs log N, and leaves the others as they were; logits of a thousand nats are calibrated."""
    logp, _, given, _ = planted(500)
    lone = np.full((501, 4), np.nan)
    lone[:500, :3] = logp
    lone[:500, 3] = -50.0
    lone[500, :3] = logp[0]
    labels = np.append(given, 3)
    loss = label_loss(pooled([lone], labels), labels)
    assert loss[500] == pytest.approx(math.log(501))
    assert np.isfinite(loss).all()
    once, large = (pooled([scale * logp], given) for scale in (1.0, 1000.0))
    np.testing.assert_allclose(once, large, atol=1e-3)
    np.testing.assert_allclose(np.exp(once).sum(1), 1)


def test_pool_weighs_models_alike() -> None:
    """Two models count alike whatever the size of their logits, and one twice as one alone."""
    logp, _, given, _ = planted(800)
    other = np.random.default_rng(2).standard_normal((800, 3))
    np.testing.assert_allclose(pooled([logp, logp], given), pooled([logp], given), atol=1e-3)
    np.testing.assert_allclose(pooled([logp, other], given), pooled([7 * logp, 0.1 * other], given), atol=1e-3)


def auc(wrong: np.ndarray, loss: np.ndarray) -> float:
    """The chance that a wrong row is ranked before a right one."""
    ranks = loss.argsort().argsort() + 1
    bad = wrong.sum()
    return float((ranks[wrong].sum() - bad * (bad + 1) / 2) / (bad * (~wrong).sum()))
