"""What is wrong with texts, and with the labels beside them, that needs no model to be seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Label
from ..preparation import Texts, digests, leaks, near_pairs, normalise, removed, repeats
from ..preparation.boilerplate import recurring_lines, recurring_openings
from ..preparation.measures import measure
from ..preparation.personal import personal

SHOWN = 20
"""Pairs, texts and lines that are shown of each kind."""
_RECURS = 0.005  # the share of the texts in which a line or an opening stands, and in five texts, to be told
_POINTS = {"shortest": 0.0, "5 %": 0.05, "median": 0.5, "95 %": 0.95, "longest": 1.0}
_MISREAD = ("Ã©", "Ã¨", "Ã¤", "Ã¶", "Ã¼", "Ã±", "Ã§", "â€™", "â€œ", "â€“", "Â ", "Ð°", "Ð¾")  # UTF-8 that was read as Latin-1
_REPLACED = "\ufffd".encode()

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Double:
    """A row, an earlier one, or one of other data, that is the same (likeness 1, exact) or nearly so."""

    row: int
    of: int
    likeness: float
    exact: bool


@dataclass(frozen=True, slots=True)
class Doubles:
    """How many rows have an exact double, how many others a near one; the pairs of ``SHOWN`` of them; how many rows of the other
    side are in a pair.
    """

    exact: int
    near: int
    others: int
    shown: list[Double]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Rows of one text that have different labels, and which."""

    rows: list[int]
    labels: list[Label | None]


def earliest_of(texts: Texts) -> Ints:
    """Of each text the earliest that is the same [N]."""
    return repeats(digests(texts))


def doubles(texts: Texts, earliest: Ints, threshold: float) -> Doubles:
    """Rows that repeat an earlier one: exactly, or, of the different texts, nearly. ``earliest``: of ``earliest_of``."""
    kept = np.flatnonzero(earliest == np.arange(len(texts)))
    again = np.flatnonzero(earliest != np.arange(len(texts)))
    near = removed(near_pairs(texts.take(kept), threshold))
    order = np.argsort(-near.likeness, kind="stable")[:SHOWN]
    shown = [Double(int(row), int(earliest[row]), 1.0, True) for row in again[: SHOWN - min(len(order), SHOWN // 2)]]
    shown += [Double(int(kept[near.rows[i]]), int(kept[near.of[i]]), float(near.likeness[i]), False) for i in order]
    return Doubles(len(again), len(near), len(np.unique(np.concatenate([earliest[again], kept[near.of]]))), shown[:SHOWN])


def leaked(texts: Texts, held: Texts, threshold: float) -> Doubles:
    """Rows of ``held`` that stand among ``texts``."""
    found = leaks(texts, held, threshold)
    order = np.lexsort((found.of, -found.likeness, ~found.exact, found.rows))
    order = order[np.r_[True, found.rows[order][1:] != found.rows[order][:-1]]] if len(order) else order  # the best of each row
    exact = found.exact[order]
    first = np.lexsort((found.rows[order], -found.likeness[order], ~exact))[:SHOWN]
    pairs = ((found.rows[i], found.of[i], found.likeness[i], found.exact[i]) for i in order[first])
    shown = [Double(int(row), int(of), float(likeness), bool(same)) for row, of, likeness, same in pairs]
    return Doubles(int(exact.sum()), int((~exact).sum()), len(np.unique(found.of)), shown)


def conflicts(earliest: Ints, labels: Sequence[Label | None]) -> list[Conflict]:
    """Every text that stands with different labels; those on most rows first."""
    again = np.flatnonzero(earliest != np.arange(len(earliest)))
    groups: dict[int, list[int]] = {}
    for row in again.tolist():
        groups.setdefault(int(earliest[row]), [int(earliest[row])]).append(row)
    found = [Conflict(rows, [labels[row] for row in rows]) for rows in groups.values() if len({labels[row] for row in rows}) > 1]
    return sorted(found, key=lambda conflict: (-len(conflict.rows), conflict.rows[0]))


def spelling(texts: Texts) -> tuple[Texts, dict[str, int]]:
    """The texts in normal form, and in how many of them that was not so, or a character is damaged."""
    found = normalise(texts)
    whole = texts.bytes.tobytes()
    damaged = {"replaced": [_REPLACED], "misread": [mark.encode() for mark in _MISREAD]}
    return found.texts, found.counts | {name: len(_rows_with(whole, texts.offsets, marks)) for name, marks in damaged.items()}


def lengths(texts: Texts) -> dict[str, dict[str, float]]:
    """Quantiles of the texts' lengths in characters and words."""
    measured = measure(texts)
    return {
        unit: {name: float(np.quantile(measured[unit], share, method="nearest")) for name, share in _POINTS.items()}
        for unit in ("characters", "words")
    }


def recurring(texts: Texts, earliest: Ints) -> dict[str, list[dict[str, Any]]]:
    """Lines and openings that stand in many of the different texts."""
    kept = np.flatnonzero(earliest == np.arange(len(texts)))
    own, least = texts.take(kept), max(5, round(_RECURS * len(kept)))
    kinds = {"lines": recurring_lines(own, least), "openings": recurring_openings(own, least)}
    return {
        kind: [{"text": each.text, "texts": each.texts, "row": int(kept[each.row])} for each in found]
        for kind, found in kinds.items()
    }


def looks_personal(texts: Texts) -> dict[str, int]:
    """How many texts have what looks like each kind of personal data."""
    return {kind: int(np.count_nonzero(counts)) for kind, counts in personal(texts).items()}


def labels_of(conflict: Conflict) -> dict[str, int]:
    """How many of its rows have each label, the most frequent first."""
    return {str(label): count for label, count in Counter(conflict.labels).most_common()}


def _rows_with(whole: bytes, offsets: Ints, marks: Sequence[bytes]) -> set[int]:
    """The texts in which a mark stands."""
    rows: set[int] = set()
    for mark in marks:
        at = whole.find(mark)
        while at >= 0:
            row = int(np.searchsorted(offsets, at, side="right")) - 1
            rows.add(row)
            at = whole.find(mark, int(offsets[row + 1]))
    return rows
