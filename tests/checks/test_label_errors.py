"""Rankings of classes, sets of labels and numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lossworks.checks.label_errors import MODELS, rank, settings_for
from lossworks.tasks import label_task


def test_numbers_are_ranked_by_the_error() -> None:
    """Of several models the mean predicts; ties keep the order of the data."""
    found = rank(label_task("regress"), [np.array([1.0, 2.0, 5.0]), np.array([3.0, 2.0, 5.0])], np.array([2.0, 7.0, 0.0]))
    assert found.loss.tolist() == [0.0, 5.0, 5.0]
    assert found.answers == [2.0, 2.0, 5.0]
    assert found.order.tolist() == [1, 2, 0]


def test_the_doubtful_label_of_a_set_is_named() -> None:
    """A planted label that does not belong is added, a taken one missing; the row's loss is its worst label's."""
    draw = np.random.default_rng(0)
    true = (draw.random((400, 3)) < 0.4).astype(np.float32)
    logits = (8 * true - 4 + draw.standard_normal((400, 3))).astype(np.float64)
    given = true.copy()
    given[7, 1], given[9, 2] = 1 - true[7, 1], 1 - true[9, 2]
    found = rank(label_task("multilabel", ("a", "b", "c")), [logits], given)
    assert set(found.order[:2]) == {7, 9}
    assert found.doubtful[7] == ("b", "added" if given[7, 1] else "missing")
    assert found.doubtful[9] == ("c", "added" if given[9, 2] else "missing")
    assert found.answers[7] == tuple(name for name, yes in zip("abc", true[7], strict=True) if yes)


def test_a_label_of_one_row_among_sets() -> None:
    """A model that does not know a label says nothing of it, and only the row that has it pays."""
    draw = np.random.default_rng(1)
    given = np.concatenate([draw.integers(0, 2, (60, 2)), np.zeros((60, 1), int)], 1).astype(np.float32)
    given[5, 2] = 1
    logits = 6.0 * given - 3
    logits[:30, 2] = np.nan
    found = rank(label_task("multilabel", ("a", "b", "lone")), [logits], given)
    assert found.order[0] == 5
    assert found.loss[5] == pytest.approx(math.log(60))
    assert found.doubtful[5] == ("lone", "added")


def test_answers_come_from_the_text_alone() -> None:
    """What the models say is the most probable label of the text, whatever the given one and the noise."""
    logits = np.log(np.array([[0.6, 0.3, 0.1], [0.1, 0.2, 0.7]] * 40))
    found = rank(label_task("classify", ("x", "y", "z")), [logits], np.array([0, 2] * 39 + [1, 0]))
    assert found.answers[-2:] == ["x", "z"]
    assert set(found.order[:2]) == {78, 79}


def test_settings_of_the_default_models() -> None:
    """Counted models need no validation rows, numbers a robust loss; the seed and the task are those asked for."""
    bayes, linear = settings_for("classify", None, 3, "cpu")
    assert (bayes.valid, linear.valid, bayes.test, linear.test) == (0.0, 0.1, 0.0, 0.0)
    assert [bayes.model, linear.model] == [each["model"] for each in MODELS["classify"]]
    assert bayes.tokenizer == "words"
    (number,) = settings_for("regress", None, 3, "cpu")
    assert (number.loss, number.task, number.seed) == ("huber", "regress", 3)
    assert [each.model for each in settings_for("classify", ["bag"], 0, "cpu")] == ["bag"]
