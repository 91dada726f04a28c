"""How the counts of an n-gram model fall when a row of its training texts is taken out, for many rows, each by itself.

Counts as they occur fall by how often the row has the n-gram. Kneser-Ney counts a shorter n-gram by the different tokens that
stand before it: its count falls by one for each longer n-gram that ends in it and is in no other row. So rows are taken out from
the highest order down.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.errors import UsageError
from ...data import Ragged
from .model import NgramModel
from .positions import check_tokens, lay_out

_TOKENS = 1 << 18  # of rows at once, unless one row has more

Longs = NDArray[np.int64]


@dataclass(slots=True)
class Falls:
    """The counts of one order that fall, one entry for a row and an n-gram.

    row: its number among the rows asked about.
    place, context: where the n-gram and its context stand in their levels of the trie.
    old, new: the counts with and without the row.
    """

    row: Longs
    place: Longs
    context: Longs
    old: Longs
    new: Longs


def blocks(training: Ragged, most: int) -> Iterator[tuple[int, int]]:
    """The rows in blocks of ``most`` at the most, with bounded tokens: the first of each, and the one after its last."""
    first = 0
    while first < len(training):
        within = int(np.searchsorted(training.offsets, training.offsets[first] + _TOKENS, "right")) - 1
        last = max(first + 1, min(within, first + most))
        yield first, last
        first = last


def falls(model: NgramModel, training: Ragged, first: int, last: int, raw: bool) -> list[Falls]:
    """What falls without each of the rows from ``first`` on, before ``last``: of the k-grams at k - 1.

    raw: whether k-grams shorter than the order are counted as they occur.

    Raises:
        UsageError: a row is none of those that the model was trained on.
    """
    tokens, depth, row = _marked(model, training, first, last)
    places, _ = model.query.walk(tokens, depth, model.order)
    number = np.empty(len(tokens), np.int64)  # of the k-gram that ends at each token, among those of all rows
    found: list[Falls] = []
    gone = np.empty(0, np.int64)  # where longer n-grams end that are in no other row
    for k in range(model.order, 0, -1):
        ends = np.flatnonzero(depth >= max(k - 1, 1))  # the start of a text is not counted
        here = places[k][ends]
        if (here < 0).any():
            raise _foreign(first + int(row[ends[here.argmin()]]))
        key = row[ends] * (int(here.max(initial=0)) + 1) + here
        _, at, number[ends], occurs = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
        at = ends[at]
        lost = occurs
        if k < model.order and not raw:
            begins = depth[at] == k - 1  # with its text: nothing stands before it
            lost = np.where(begins, occurs, np.bincount(number[gone], minlength=len(at)))
        old = model.query.look_up(k, "count", "counts", places[k][at])
        if (old < lost).any():
            raise _foreign(first + int(row[at[(old < lost).argmax()]]))
        gone = at[old == lost]
        at, old, lost = (each[lost > 0] for each in (at, old, lost))
        found.insert(0, Falls(row[at], places[k][at], places[k - 1][at - 1], old, old - lost))
    return found


def _marked(model: NgramModel, training: Ragged, first: int, last: int) -> tuple[NDArray[np.uint32], NDArray[np.uint8], Longs]:
    """The rows with their marks as one sequence: tokens, how deep each stands, and which row it is of."""
    row = np.repeat(np.arange(last - first), np.diff(training.offsets[first : last + 1]) + 1 + model.ends)
    tokens, depth = np.empty(len(row), np.uint32), np.empty(len(row), np.uint8)
    begin = int(training.offsets[first]) + first * (1 + model.ends)
    lay_out(training, model.vocabulary, model.ends, begin, tokens, depth, max(model.order - 1, 1))
    check_tokens(tokens, model.vocabulary)
    return tokens, depth, row


def trainable(model: NgramModel, training: Ragged) -> NDArray[np.bool_]:
    """For each row whether a model can be trained without it: others have tokens, and one of them is as long as the order."""
    lengths = np.diff(training.offsets)
    enough = lengths + 1 + model.ends >= model.order
    possible: NDArray[np.bool_] = (lengths.sum() > lengths) & (enough.sum() > enough)
    return possible


def check_amount(model: NgramModel, training: Ragged, counted: int) -> None:
    """Raise UsageError unless the rows have as many n-grams of the highest order as the model has ``counted``."""
    amount = int(np.maximum(np.diff(training.offsets) + 1 + model.ends - max(model.order - 1, 1), 0).sum())
    if amount != counted:
        raise UsageError(
            f"the {len(training):,} rows have {amount:,} {model.order}-grams, and the model has counted {counted:,}. "
            "Give all rows that it was trained on, and no others, encoded with its tokenizer."
        )


def _foreign(row: int) -> UsageError:
    return UsageError(
        f"row {row:,} (from 0) has n-grams that the model has not counted. Give the rows that it was trained on, encoded with "
        "its tokenizer."
    )
