"""What labels mean, and labels as each task needs them."""

from __future__ import annotations

import pytest

from lossworks.core.errors import DataError
from lossworks.data import check_classes, class_names, infer_task, label_sets, load, numbers, shown_apart, twins

INFERRED = [
    (["a", "b", "a"], "classify", "classify: 2 labels, text"),
    (["1", "0", "1", "0"], "classify", "classify: 2 labels, few different numbers; --task regress if they are quantities"),
    ([float(i % 5) for i in range(50)], "classify", "5 labels"),
    ([i % 5 / 2 for i in range(50)], "classify", "5 labels"),
    ([float(i) for i in range(21)], "regress", "21 different whole numbers; --task classify if they name classes"),
    ([float(i % 77) for i in range(77 * 5)], "classify", "77 labels, numbered; --task regress if they are quantities"),
    ([str(1 + i % 30) for i in range(300)], "classify", "30 labels, numbered"),
    ([18 + i % 70 for i in range(7000)], "regress", "70 different whole numbers"),
    ([i % 77 * 2.0 for i in range(77 * 5)], "regress", "77 different whole numbers"),
    ([f"{i % 25}_1" for i in range(500)], "classify", "25 labels, text"),
    ([f"{i % 25}e5" for i in range(500)], "classify", "25 labels, text"),
    ([f"0{i}" for i in range(100, 150)], "classify", "50 labels, text"),
    ([hex(i) for i in range(50)], "classify", "50 labels, text"),
    ([str(2**53 + i) for i in range(50)], "classify", "50 labels, text"),
    ([f"{i}e-05" for i in range(50)], "regress", "50 different numbers"),
    ([str(i / 7) for i in range(100)], "regress", "100 different numbers"),
    ([i % 9 / 7 for i in range(50)], "regress", "9 different numbers, with decimals"),
    ([0.1, 0.7, 2.5], "regress", "with decimals"),
    (["1", "2", "three"], "classify", "text"),
    ([("a", "b"), ("a",), ()], "multilabel", "2 different"),
    (["a", ("a", "b")], "multilabel", "2 different"),
    (["nan", "inf"], "classify", "text"),
]


@pytest.mark.parametrize(("labels", "task", "why"), INFERRED)
def test_infer_task(labels, task, why):
    """Sets of labels, quantities and classes are told apart, with the reason."""
    found, reason = infer_task(labels)
    assert found == task
    assert why in reason
    assert reason.startswith(task)


def test_numbers():
    """Numbers come as numbers from numbers and from text."""
    assert numbers(load([("a", "1.5"), ("b", 2), ("c", "-3e2")])).tolist() == [1.5, 2, -300]


@pytest.mark.parametrize(
    ("label", "why"),
    [
        ("many", "the label 'many' where a number belongs"),
        (["a", "b"], "several labels where a number belongs"),
        (float("nan"), "the target is nan, wanted a finite number"),
        ("inf", "the target is inf"),
        ("3_1", "the label '3_1' where a number belongs"),
        ("0x10", "the label '0x10' where a number belongs"),
    ],
)
def test_no_number(label, why):
    """What is no finite number is named with its row."""
    with pytest.raises(DataError, match=f"the rows, row 2: {why}"):
        numbers(load([("a", 1.0), ("b", label)]))


def test_class_names():
    """Classes are text; a whole number has no point."""
    assert class_names(load([("a", 1), ("b", "1"), ("c", 2.5), ("d", True)])) == ["1", "1", "2.5", "true"]
    with pytest.raises(DataError, match="row 2: several labels where one class belongs"):
        class_names(load([("a", "x"), ("b", ["x", "y"])]))
    with pytest.raises(DataError, match="row 2: the label nan where a class belongs"):
        class_names(load([("a", "x"), ("b", float("nan"))]))


def test_label_sets():
    """A single label is a set of one, no label an empty set."""
    assert label_sets(load([("a", ["y", "x"]), ("b", "x"), ("c", []), ("d", 3)])) == [("x", "y"), ("x",), (), ("3",)]


def test_check_classes():
    """One class is nothing to learn."""
    check_classes(["a", "b"], "reviews.csv")
    with pytest.raises(DataError, match=r"reviews\.csv: all 2 rows have the label 'a'.* --label"):
        check_classes(["a", "a"], "reviews.csv")
    with pytest.raises(DataError, match="no row has a label"):
        check_classes([], "reviews.csv")


TWINS = [
    ((), []),
    (("neg", "pos", "neg"), []),
    (("True", "true", "FALSE", "False"), [("FALSE", "False"), ("True", "true")]),
    (("1", "1.0", "01", "+1"), [("+1", "1"), ("+1", "1.0")]),  # 01 is a code
    (("0", "-0", "nan", "NaN"), [("-0", "0"), ("NaN", "nan")]),
    (("12345678901234567890", "12345678901234567891"), []),  # one float, and two ids
    (("caf\u00e9", "cafe\u0301"), [("cafe\u0301", "caf\u00e9")]),
    (("a b", "a\u00a0b", "a  b"), [("a  b", "a b"), ("a  b", "a\u00a0b")]),
    (("v1.0", "v1"), []),
]


@pytest.mark.parametrize(("names", "wanted"), TWINS)
def test_twins(names, wanted):
    """Labels that differ in nothing that a reader sees, or in how a number or a word is written."""
    assert twins(names) == wanted


def test_twins_that_look_the_same_are_shown_by_their_characters():
    """What a terminal shows alike is spelled out, and the rest as it is."""
    assert shown_apart(("True", "true")) == "'True' and 'true'"
    assert shown_apart(("cafe\u0301", "caf\u00e9")) == r"'cafe\u0301' and 'caf\xe9'"
