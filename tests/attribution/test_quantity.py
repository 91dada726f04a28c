"""What can be explained of an answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import expit, log_softmax

from lossworks.attribution.quantity import quantity
from lossworks.core.errors import UsageError
from lossworks.tasks import LABEL_TASKS, LabelTask

TWO = LABEL_TASKS["classify"](("no", "yes"))
THREE = LABEL_TASKS["classify"](("a", "b", "c"))
SETS = LABEL_TASKS["multilabel"](("x", "y"))
NUMBERS = LABEL_TASKS["regress"]((), 10.0, 2.0)
SCORES = np.random.default_rng(0).normal(size=(5, 3))
PAIR, LOGP = SCORES[:, :2], log_softmax(SCORES, 1)


@pytest.mark.parametrize(
    ("task", "asked", "wanted", "said"),
    [
        (TWO, {"name": None, "answer": 1}, PAIR[:, 1] - PAIR[:, 0], "logit of yes less that of no"),
        (THREE, {"name": "logit", "answer": 0}, SCORES[:, 0] - SCORES[:, 1:].mean(1), "logit of a less the mean of the others'"),
        (
            THREE,
            {"name": "logit", "answer": 0, "label": "c", "against": "b"},
            SCORES[:, 2] - SCORES[:, 1],
            "logit of c less that of b",
        ),
        (THREE, {"name": "probability", "answer": 1}, np.exp(LOGP[:, 1]), "probability of b"),
        (THREE, {"name": "surprisal", "answer": 1, "label": "a"}, -LOGP[:, 0], "surprisal of a"),
        (THREE, {"name": "focal:gamma=3", "answer": 1}, -((1 - np.exp(LOGP[:, 1])) ** 3) * LOGP[:, 1], "focal:gamma=3.0 of b"),
        (TWO, {"name": "cross_entropy", "answer": 0}, np.logaddexp(0, PAIR[:, 1] - PAIR[:, 0]), "cross_entropy of no"),
        (SETS, {"name": None, "answer": 1}, PAIR[:, 1], "logit of y"),
        (SETS, {"name": "probability", "answer": 0}, expit(PAIR[:, 0]), "probability of x"),
        (
            SETS,
            {"name": "cross_entropy", "answer": 0, "label": ["y"]},
            (np.logaddexp(0, PAIR[:, 0]) + np.logaddexp(0, -PAIR[:, 1])) / 2,
            "cross_entropy of ('y',)",
        ),
        (NUMBERS, {"name": None, "answer": 3.0}, SCORES[:, 0], "predicted number"),
        (NUMBERS, {"name": "mse", "answer": 3.0, "label": "1.5"}, (SCORES[:, 0] - 1.5) ** 2, "mse of 1.5"),
    ],
)
def test_values(task: LabelTask, asked: dict[str, Any], wanted: np.ndarray, said: str) -> None:
    """Every quantity by its formula, its gradient by finite differences, and it in words."""
    scores = SCORES[:, 0] if task is NUMBERS else SCORES[:, : len(task.labels)]
    found = quantity(task, **asked)
    np.testing.assert_allclose(found.values(scores), wanted, rtol=1e-12)
    assert str(found) == said
    step = 1e-6 * np.random.default_rng(1).normal(size=scores.shape)
    change = (found.gradient(scores) * step).reshape(len(scores), -1).sum(1)
    np.testing.assert_allclose(found.values(scores + step) - found.values(scores - step), 2 * change, atol=1e-11)
    if (weights := found.weights) is not None:
        np.testing.assert_allclose(scores @ weights if scores.ndim == 2 else scores * weights, wanted, rtol=1e-12)


@pytest.mark.parametrize(
    ("task", "asked", "said"),
    [
        (NUMBERS, {"name": "logit"}, "which have no logit"),
        (NUMBERS, {"name": "value", "label": 3}, "Leave the label out"),
        (NUMBERS, {"name": "mse", "label": "three"}, "'three' is none"),
        (TWO, {"name": "value"}, "predicts labels"),
        (TWO, {"name": "info_nce"}, "is not for the task"),
        (TWO, {"name": "probability", "against": "no"}, "--against is for the logit"),
        (SETS, {"name": "logit", "against": "x"}, "--against is for the logit"),
        (TWO, {"name": "logit", "label": "maybe"}, "knows no label 'maybe'. Labels: no, yes"),
        (TWO, {"name": "logit", "label": "no", "against": "no"}, "against itself"),
        (TWO, {"name": "crossentropy"}, "cross_entropy"),
    ],
)
def test_refused(task: LabelTask, asked: dict[str, Any], said: str) -> None:
    """What the task does not have, by name and with the remedy."""
    with pytest.raises(UsageError, match=said):
        quantity(task, answer=0, **asked)
