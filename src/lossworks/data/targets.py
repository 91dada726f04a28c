"""What the labels mean: the task they call for, and the labels as each task needs them."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DataError
from ..core.wording import counted
from .corpus import Corpus
from .labels import described, spelled
from .options import Label

MOST_CLASSES = 20
"""More distinct numbers than this are measurements, not names of classes; whole ones that count the classes excepted."""
MOST_NUMBERED = 1000
"""So many classes that are numbered through are still classes."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.ASCII | re.IGNORECASE)
_CODE = re.compile(r"0\d+|\d+[eE]\d+|\d{16,}", re.ASCII)
"""Text that reads as a number, and is hardly one: 007, 5e5 (programs write 5e+05), and ids longer than a float holds."""


def infer_task(labels: Sequence[Label | None]) -> tuple[str, str]:
    """classify, multilabel or regress, and why: ("classify", "classify: 2 labels, text").

    Numbers are a quantity if more than 20 differ, or more than 5 of them have decimals, or hardly any repeats. Whole ones that
    number classes from 0 or 1, hardly any left out and each some times, are classes up to 1,000.
    """
    distinct = set(labels) - {None}
    if any(isinstance(label, tuple) for label in distinct):
        names = {name for label in distinct for name in (label if isinstance(label, tuple) else [label])}
        return "multilabel", f"multilabel: rows carry sets of labels, {len(names):,} different in all"
    values = [None if isinstance(label, str) and _CODE.fullmatch(label) else _number(label) for label in distinct]
    numbers = {value for value in values if value is not None}
    if None in values or not any(map(math.isfinite, numbers)):
        return "classify", f"classify: {counted(len(distinct), 'label')}, text"
    decimals = sum(not value.is_integer() for value in numbers)
    if len(numbers) > MOST_CLASSES and not decimals:
        if _number_classes(numbers, len(labels)):
            return "classify", f"classify: {len(numbers):,} labels, numbered; --task regress if they are quantities"
        return "regress", f"regress: {len(numbers):,} different whole numbers; --task classify if they name classes"
    if len(numbers) > MOST_CLASSES:
        return "regress", f"regress: {len(numbers):,} different numbers"
    if decimals > 5 or (decimals and 2 * len(numbers) > len(labels)):
        return "regress", f"regress: {len(numbers):,} different numbers, with decimals"
    return (
        "classify",
        f"classify: {counted(len(distinct), 'label')}, few different numbers; --task regress if they are quantities",
    )


def class_names(corpus: Corpus) -> list[str]:
    """The one class of every row, as text; the number 1.0 is the class "1".

    Raises:
        DataError: a row has several labels, or NaN; names it.
    """
    names: dict[Label | None, str] = {}
    for label in set(corpus.labels):
        if isinstance(label, tuple):
            raise _unfit(corpus, label, "several labels", "one class", "--task multilabel")
        if isinstance(label, float) and not math.isfinite(label):
            raise _unfit(corpus, label, f"the label {label}", "a class", "a label, or leave the row out")
        names[label] = spelled(label)
    return [names[label] for label in corpus.labels]


def label_sets(corpus: Corpus) -> list[tuple[str, ...]]:
    """The set of labels of every row; a single label is a set of one."""
    sets = {label: label if isinstance(label, tuple) else (spelled(label),) for label in set(corpus.labels)}
    return [sets[label] for label in corpus.labels]


def twins(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of labels that are the same but for case, white space, Unicode form or the spelling of a number."""
    first, found = dict[str, str](), list[tuple[str, str]]()
    for name in sorted(set(names)):
        number = None if _CODE.fullmatch(name) else _number(name)
        key = " ".join(_in_one_form(name).casefold().split()) if number is None or math.isnan(number) else f"{number + 0.0}"
        if (other := first.setdefault(key, name)) != name:
            found.append((other, name))
    return found


def shown_apart(pair: tuple[str, str]) -> str:
    """Two labels in words; by the numbers of their characters where they look the same."""
    show = ascii if _in_one_form(pair[0]) == _in_one_form(pair[1]) else repr
    return " and ".join(map(show, pair))


def _in_one_form(name: str) -> str:
    return unicodedata.normalize("NFKC", name)


def numbers(corpus: Corpus) -> NDArray[np.float64]:
    """The label of every row as a number.

    Raises:
        DataError: a label is not a number, is NaN or is infinite; names the row.
    """
    if any(_number(label) is None for label in set(corpus.labels)):
        odd = next(label for label in corpus.labels if _number(label) is None)
        words = "several labels" if isinstance(odd, tuple) else f"the label {described(odd)}"
        raise _unfit(corpus, odd, words, "a number", "--task classify if the labels are classes")
    values = np.fromiter(map(float, corpus.labels), np.float64, len(corpus))  # type: ignore[arg-type]  # no other is left
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise DataError(
            f"{corpus.place(int(bad[0]))}: the target is {values[bad[0]]}, wanted a finite number "
            f"({counted(len(bad), 'such row')}). Repair or remove such rows."
        )
    return values


def check_classes(names: Iterable[str], source: str) -> None:
    """Raise DataError unless at least two classes are among ``names``, one per row."""
    counts = Counter(names)
    if not counts:
        raise DataError(f"{source}: no row has a label. If another column holds the labels, name it with --label.")
    if len(counts) == 1:
        (name,) = counts
        raise DataError(
            f"{source}: all {counts[name]:,} rows have the label {name!r}; telling classes apart takes at least two. "
            "If another column holds the label, name it with --label."
        )


def _number_classes(numbers: set[float], rows: int) -> bool:
    """Whether whole numbers count classes: from 0 or 1 on, at most one in ten left out, each on five rows or more on average."""
    first, last, count = min(numbers), max(numbers), len(numbers)
    return first in (0, 1) and count <= MOST_NUMBERED and last - first < 1.1 * count and rows >= 5 * count


def _number(label: Label | None) -> float | None:
    if isinstance(label, str):
        return float(label) if _NUMBER.fullmatch(label) else None  # float() takes 3_1 for 31, too
    return None if isinstance(label, tuple) or label is None else float(label)


def _unfit(corpus: Corpus, label: Label | None, got: str, wanted: str, remedy: str) -> DataError:
    row = next(i for i, other in enumerate(corpus.labels) if other is label or other == label)
    return DataError(f"{corpus.place(row)}: {got} where {wanted} belongs. Give {remedy}.")
