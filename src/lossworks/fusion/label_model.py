"""The labels behind the votes of rules, and how right each rule is, by EM: no gold label is needed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

ABSTAINS = -1
"""The number of no vote."""

ACCURACY, STRENGTH = 0.8, 50.0
"""What a rule's accuracy is thought to be before it is known, and how many of its votes that counts for."""
_MARGIN = 0.3  # of the way from chance to certainty that a rule is on at the least: its author means it
_ROUNDS, _SETTLED = 500, 1e-6


@dataclass(frozen=True, slots=True)
class LabelModel:
    """Of each rule how often it is right where it votes [rules], and the labels' log-probabilities [texts, labels], NaN where no
    rule votes.
    """

    accuracy: NDArray[np.float64]
    logp: NDArray[np.float64]


def fit_label_model(votes: NDArray[np.int64], labels: int) -> LabelModel:
    """Each rule is right with a probability of its own where it votes, else wrong at random; all labels are alike likely.

    EM begins at the majority's vote (of several the mean). What is made large is the likelihood with a Beta prior on each
    accuracy: a rule with few votes keeps about ``ACCURACY``. None is thought to be as bad as chance, or the model could turn all
    rules of one label round. When a rule abstains tells nothing.

    Args:
        votes: the number of a label, or ``ABSTAINS`` [texts, rules].
        labels: how many there are.

    Source: Dawid & Skene 1979, Applied Statistics 28(1); one accuracy a rule, as in Snow et al. 2008, EMNLP.
    """
    cast = (votes[:, :, None] == np.arange(labels)).astype(np.float64)  # [texts, rules, labels]
    count = cast.sum((0, 2))
    posterior = majority(votes, labels)
    accuracy = np.full(votes.shape[1], ACCURACY)
    for _ in range(_ROUNDS):
        right = np.einsum("trl,tl->r", cast, posterior)
        least = 1 / labels + _MARGIN * (1 - 1 / labels)
        accuracy = np.maximum((right + ACCURACY * STRENGTH) / (count + STRENGTH), least)
        before, posterior = posterior, softmax(cast.transpose(0, 2, 1) @ odds(accuracy, labels), 1)
        if np.abs(posterior - before).max() < _SETTLED:
            break
    logp = log_softmax(cast.transpose(0, 2, 1) @ odds(accuracy, labels), 1)
    logp[(votes == ABSTAINS).all(1)] = np.nan
    return LabelModel(accuracy, logp)


def odds(accuracy: NDArray[np.float64], labels: int) -> NDArray[np.float64]:
    """What a vote adds to the logit of its label."""
    return np.asarray(np.log(accuracy * (labels - 1) / (1 - accuracy)))


def majority(votes: NDArray[np.int64], labels: int) -> NDArray[np.float64]:
    """The labels with the most votes, each alike [texts, labels]; where no rule votes, all."""
    counts = (votes[:, :, None] == np.arange(labels)).sum(1)
    most = counts == counts.max(1, keepdims=True)
    return np.asarray(most / most.sum(1, keepdims=True))
