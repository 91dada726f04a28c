"""Positions and the texts that they belong to."""

from __future__ import annotations

from lossworks.data import load
from lossworks.fusion.parts import Part
from lossworks.tasks import label_task


def test_rows_of_one_text_are_one_unit() -> None:
    """A text that stands there twice counts once in intervals, as everywhere."""
    corpus = load([("a b", "x"), ("c d", "y"), ("a b", "x")])
    part = Part.of_labels(corpus, label_task("classify", ["x", "y"]))
    assert part.units.of[0] == part.units.of[2] != part.units.of[1]
    assert part.targets.tolist() == [0, 1, 0]


def test_each_label_of_a_set_is_a_position() -> None:
    """Of sets of labels each label is a position of two outcomes, in its text's unit."""
    corpus = load([("a b", ("x", "y")), ("c d", ("y",))])
    part = Part.of_labels(corpus, label_task("multilabel", ["x", "y"]))
    assert (part.outcomes, part.targets.tolist()) == (2, [1, 1, 0, 1])
    assert part.units.of.tolist() in ([0, 0, 1, 1], [1, 1, 0, 0])
