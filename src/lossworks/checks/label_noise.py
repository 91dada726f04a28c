"""How probable it is that a label is right, by what models say of the text and by which labels are given for which by mistake."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from ..metrics import fit_temperature

PRIOR = 0.1
"""How much the even spread of mistakes weighs in the noise matrix, in rows of a class of mean size. Chosen on planted
mistakes whose answers were known, while the answers of NoisyAG-News were being looked at too (docs/EXPLAIN.md)."""
_ROUNDS = 50
_CELLS = 20_000_000
"""Of rows by classes that the matrix is estimated from, evenly spaced where there are more."""
_UNKNOWN = -1e3
"""The logit of a label that a model does not know, beside logits of a spread of 1."""

Floats = NDArray[np.float64]


def pooled(scores: Sequence[Floats], target: NDArray[np.int64]) -> Floats:
    """Log-probabilities [N, K] of the given labels: the mean of the models' logits, each calibrated, calibrated again.

    Args:
        scores: of each model, out-of-fold logits [N, K], NaN where it did not know the label.
        target: the given labels [N].

    Returns:
        The same, NaN likewise.
    """
    return _calibrated(np.mean([_calibrated(each, target) for each in scores], 0), target)


def label_loss(logp: Floats, target: NDArray[np.int64]) -> Floats:
    """-log P(the given label is right | text, label) [N], in nats.

    That is P(label | text) P(given | label), with the noise matrix for the latter, over its sum. A label that the model did not
    know stands on no other text: its loss is log N, that of one label in N rows.

    Args:
        logp: out-of-fold log-probabilities [N, K], calibrated; NaN where the model did not know the label.
        target: the given labels [N].
    """
    rows, filled = np.arange(len(target)), np.where(np.isnan(logp), _UNKNOWN, logp)
    known = ~np.isnan(logp[rows, target])
    noise = noise_matrix(filled[known], target[known])
    true = log_softmax(filled + np.log(noise)[:, target].T, 1)
    return np.where(known, -true[rows, target], math.log(len(target)))


def noise_matrix(logp: Floats, target: NDArray[np.int64]) -> Floats:
    """P(given | true) [true, given]: the mode of its posterior, by an EM in which ``logp`` [N, K] is log P(true | text).

    A priori as many labels are wrong in each class as in all, and as often one for another as any other. Matrices of the kind are
    usual in training (Natarajan et al. 2013, NeurIPS; Patrini et al. 2017, arXiv:1609.03683); here no model is trained with it.
    """
    step = math.ceil(logp.size / _CELLS) or 1
    logp, target = logp[::step], target[::step]
    classes = logp.shape[1]
    own, prior = np.eye(classes), PRIOR * len(target) / classes
    other = (1 - own) / (classes - 1)
    order = np.argsort(target, kind="stable")
    given, starts = np.unique(target[order], return_index=True)
    noise = np.full((classes, classes), 1 / classes)  # the first round goes by the texts alone
    for _ in range(_ROUNDS):
        expected = np.zeros((classes, classes))
        expected[:, given] = np.add.reduceat(softmax(logp + np.log(noise)[:, target].T, 1)[order], starts).T
        wrong = max(1 - float(expected.trace()) / len(target), 1e-6)
        expected += prior * ((1 - wrong) * own + wrong * other)
        before, noise = noise, expected / expected.sum(1, keepdims=True)
        if np.abs(noise - before).max() < 1e-5:
            break
    return noise


def _calibrated(scores: Floats, target: NDArray[np.int64]) -> Floats:
    """Log-probabilities [N, K] of logits; their temperature is fitted to the rows whose label the model knew."""
    known = ~np.isnan(scores)
    logits = np.where(known, scores / (float(scores[known].std()) or 1.0), _UNKNOWN)  # of long texts they are too large otherwise
    rows = known[np.arange(len(target)), target]
    temperature = fit_temperature(logits[rows], target[rows])
    return np.where(known, log_softmax(logits / temperature, 1), np.nan)
