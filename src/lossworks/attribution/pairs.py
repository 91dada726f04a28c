"""Pairs: what leave-one-out shows, and what it hides because another part says the same.

Of two parts either of which suffices, deleting one does nothing. So pairs are deleted too: what a pair takes away beyond the
sizes of what its parts take away by themselves is hidden from single deletions, and each of the two gets half of it. Parts are
matched, those that hide most first, and have one partner each. Of parts that count only side by side nothing is hidden: each by
itself takes away all of it. (To give each part half of all its interactions, which are Shapley values where no three parts
interact, adds up many small ones, of what other words say once the decisive ones are gone. It found such parts less often:
docs/EXPLAIN.md.)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .deletion import leave_one_out
from .explanation import Division
from .texts import Texts, blocks

PAIRED = 63
"""Parts of one text, all pairs of which are deleted: 1,953 readings, as many as leave-one-out takes at most."""
_AT_ONCE = 4096  # readings of texts


def pairs(texts: Texts) -> list[Division]:
    """Shares by deletions of parts and of pairs, from T (T + 1) / 2 readings; of more than ``PAIRED`` parts those that do most
    alone are paired.

    Raises:
        UsageError: a text has too many parts.
    """
    found = leave_one_out(texts)
    both = [_pairs(texts, number, each.shares) for number, each in enumerate(found)]
    for first, last in blocks([len(rows) for rows in both], _AT_ONCE):
        kept = [np.ones((len(both[number]), len(found[number].shares)), np.bool_) for number in range(first, last)]
        for rows, deleted in zip(kept, both[first:last], strict=True):
            np.put_along_axis(rows, deleted, False, 1)
        for number, values in enumerate(texts.some(first, last).values(kept), first):
            found[number] = _matched(texts, number, found[number], both[number], found[number].value - values)
    return found


def _pairs(texts: Texts, number: int, alone: NDArray[np.float64]) -> NDArray[np.int64]:
    """The pairs of a text's parts that are deleted [M, 2]."""
    parts = np.flatnonzero(~texts.fixed(number))
    parts = np.sort(parts[np.argsort(-np.abs(alone[parts]), kind="stable")[:PAIRED]])
    return np.stack([parts[side] for side in np.triu_indices(len(parts), 1)], 1)


def _matched(texts: Texts, number: int, alone: Division, both: NDArray[np.int64], lost: NDArray[np.float64]) -> Division:
    """A text's shares from those of single deletions, and from what is lost with each pair [M]."""
    shares, notes, free = alone.shares.copy(), list(alone.notes), np.ones(len(alone.shares), np.bool_)
    hidden = np.abs(lost) - np.abs(alone.shares[both]).sum(1)
    for row in [row for row in np.argsort(-hidden, kind="stable").tolist() if hidden[row] > 0]:
        if free.all():
            one, other = (repr(texts.texts[number][first:last]) for first, last in texts.spans[number][both[row]].tolist())
            notes.append(f"deletions of single parts hide most of {one} and {other}: without both it is {lost[row]:.3g} less")
        if free[both[row]].all():
            shares[both[row]] += np.sign(lost[row]) * hidden[row] / 2
            free[both[row]] = False
    if (parts := int((~texts.fixed(number)).sum())) > PAIRED:
        notes.append(f"of its {parts:,} parts the {PAIRED} that do most alone are deleted in pairs; others may hide one another")
    return replace(alone, shares=shares, notes=tuple(notes))
