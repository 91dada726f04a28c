"""What each task says: its targets, the losses that fit it, its proper score, its answers, and the constant baseline."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lossworks.core.errors import DataError, UsageError
from lossworks.data import load
from lossworks.tasks import LABEL_TASKS, Classify, LanguageModeling, Multilabel, Regress, label_task

LABELS = {
    "classify": ["a", "b", "c", "a"],
    "multilabel": [("a", "b"), ("b",), (), ("a",)],
    "regress": [1.0, 2.0, 6.0, 3.0],
}


def _task(kind):
    corpus = load([(f"text {number}", label) for number, label in enumerate(LABELS[kind])])
    return LABEL_TASKS[kind].of(corpus, np.ones(4, np.bool_)), corpus


@pytest.mark.parametrize("kind", LABEL_TASKS)
def test_targets_name_their_labels(kind):
    """What a target is called is the label that the corpus has."""
    task, corpus = _task(kind)
    assert [task.name_of(target) for target in task.targets(corpus)] == LABELS[kind]
    assert label_task(kind, task.labels, task.center, task.spread) == task


@pytest.mark.parametrize("kind", ["classify", "multilabel"])
def test_a_label_that_training_had_not(kind):
    """It is refused, with its row."""
    task, _ = _task(kind)
    strange = load([("x", LABELS[kind][0]), ("y", "z" if kind == "classify" else ("z", "a"))])
    with pytest.raises(DataError, match="'z'"):
        task.targets(strange)


@pytest.mark.parametrize("kind", LABEL_TASKS)
def test_counts_make_the_same_baseline(kind):
    """The baseline knows no more of the training rows than how often each label occurs, or, of numbers, their mean."""
    task, corpus = _task(kind)
    target = task.targets(corpus)
    counts = task.counts(target)
    assert counts == {"classify": [2, 1, 1], "multilabel": [2, 2], "regress": None}[kind]
    if counts is not None:
        again = task.from_counts(counts, len(target))
        np.testing.assert_array_equal(task.constant_scores(again, target), task.constant_scores(target, target))


def test_proper_scores():
    """-log p of the class; its sum over labels; the squared error in the unit of the numbers."""
    logits = torch.tensor([[0.0, 1.0, -1.0]])
    classes, _ = _task("classify")
    assert classes.proper_score(logits, torch.tensor([1])).item() == pytest.approx(-logits.log_softmax(-1)[0, 1].item())
    sets = Multilabel(("a", "b", "c"))
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor([[1.0, 0, 1]]), reduction="sum")
    assert sets.proper_score(logits, torch.tensor([[1, 0, 1]])).item() == pytest.approx(expected.item())
    numbers = Regress((), center=3.0, spread=2.0)
    target = torch.from_numpy(numbers.of_network(np.array([7.0])))
    assert numbers.proper_score(torch.tensor([[1.0]]), target).item() == pytest.approx((3 + 2 * 1 - 7) ** 2)


def test_answers():
    """The likeliest class, or the second from its threshold on; each label from its own on; the number itself."""
    two = np.array([[0.6, 0.4], [0.9, 0.1]])
    assert Classify(("a", "b")).decide(two, None) == ["a", "a"]
    assert Classify(("a", "b")).decide(two, (0.4,)) == ["b", "a"]
    assert Multilabel(("a", "b")).decide(two, None) == [("a",), ("a",)]
    assert Multilabel(("a", "b")).decide(two, (0.7, 0.1)) == [("b",), ("a", "b")]
    assert Regress().decide(np.array([1.5]), None) == [1.5]


def test_answers_from_a_probability_on():
    """Of the classes that are named the most probable that reaches its threshold; else the most probable other; else none."""
    rows = np.array([[0.5, 0.3, 0.2], [0.05, 0.45, 0.5], [0.1, 0.85, 0.05]])
    three, two = Classify(("a", "b", "c")), Classify(("a", "b"))
    assert three.decide_at(rows, None, {"c": 0.2}) == ["c", "c", "b"]
    assert three.decide_at(rows, None, {"a": 0.05, "b": 0.4}) == ["a", "b", "b"]
    assert three.decide_at(rows, None, {"a": 0.6, "b": 0.9}) == ["c", "c", "c"]
    assert three.decide_at(rows, None, dict.fromkeys("abc", 0.5)) == ["a", "c", "b"]
    assert three.decide_at(rows, None, dict.fromkeys("abc", 0.51)) == [None, None, "b"]
    assert three.decide_at(np.array([[1.0, 0.0, 0.0]]), None, {"b": 0.0, "a": 1.0}) == ["a"]
    assert two.decide_at(np.array([[0.57, 0.43], [0.2, 0.8]]), (0.9,), {"b": 0.05}) == ["b", "b"]
    assert two.decide_at(np.array([[0.57, 0.43], [0.02, 0.98]]), (0.1,), {"b": 0.97}) == ["a", "b"]
    assert two.decide_at(np.array([[0.57, 0.43]]), (0.1,), {}) == ["b"]


@pytest.mark.parametrize(
    ("task", "spec", "reason"),
    [
        (Classify(("a", "b", "c")), "huber", "not over outcomes"),
        (Classify(("a", "b", "c")), "forward_kl", "needs a teacher"),
        (Multilabel(("a", "b")), "logit_adjusted", "one count a class"),
        (Regress(), "cross_entropy", "not between numbers"),
        (LanguageModeling(), "huber", "not over outcomes"),
    ],
)
def test_losses_that_do_not_fit(task, spec, reason):
    """Each is refused, with the reason."""
    with pytest.raises(UsageError, match=reason):
        task.loss(spec)


@pytest.mark.parametrize("task", [Classify(("a", "b")), Multilabel(("a", "b")), Regress(), LanguageModeling()])
def test_the_default_loss_fits(task):
    """Each task takes its own default loss."""
    assert not task.misfit(task.loss(task.default_loss))
