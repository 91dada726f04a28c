"""Rows of tokens: every token once, within the budget, as a function of seed and epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lossworks.data import Ragged
from lossworks.data.layouts import Lanes, Layout, Packed, Positions, Windows
from lossworks.tokens import Vocabulary

V = 7
VOCABULARY = Vocabulary(V)


def texts(lengths: list[int], seed: int = 0) -> Ragged:
    """Texts of some lengths."""
    ids = np.random.default_rng(seed).integers(3, V, sum(lengths))
    return Ragged(ids.astype(np.uint32), np.cumsum([0, *lengths]))


TEXTS = texts([5, 9, 0, 20, 1, 13, 8, 8, 2, 30])


def laid(rows: Any, epoch: int = 0) -> list[list[int]]:
    """What each row holds, the token before it first."""
    found = rows.take(np.arange(len(rows)), epoch)
    return [[int(before), *row[:size].tolist()] for before, row, size in zip(found.before, found.ids, found.lengths, strict=True)]


def test_windows_hold_every_token_once() -> None:
    """Texts with their ends, cut where they are too long; each epoch's steps are all rows, none twice, within the size."""
    rows = Windows(Positions.of(TEXTS, VOCABULARY, True), 7, seed=1)
    assert sorted(rows.lengths.tolist()) == rows.lengths.tolist()
    assert rows.lengths.max() == 7
    wanted = []
    for a, b in zip(TEXTS.offsets, TEXTS.offsets[1:], strict=False):
        whole = [VOCABULARY.start, *TEXTS.ids[a:b].tolist(), VOCABULARY.end]
        wanted += [whole[i : i + 8] for i in range(0, len(whole) - 1, 7)]
    assert sorted(laid(rows)) == sorted(wanted)
    epochs = [rows.steps(20, epoch=epoch) for epoch in range(3)]
    for epoch in epochs:
        assert sorted(np.concatenate(epoch).tolist()) == list(range(len(rows)))
        assert all(len(step) * rows.lengths[step].max() <= 20 for step in epoch)
    assert len({len(epoch) for epoch in epochs}) == 1
    assert [step.tolist() for step in epochs[0]] != [step.tolist() for step in epochs[1]]
    again = rows.steps(20, epoch=2)
    assert [step.tolist() for step in epochs[2]] == [step.tolist() for step in again]


def test_padded_rows() -> None:
    """A row's tokens stand at its left, whatever follows them; texts without an end have none."""
    found = [row[1:] for row in laid(Windows(Positions.of(TEXTS, VOCABULARY, False), 100))]
    wanted = [TEXTS.ids[a:b].tolist() for a, b in zip(TEXTS.offsets, TEXTS.offsets[1:], strict=False) if b > a]
    assert sorted(found) == sorted(wanted)


def test_a_long_text_is_cut_elsewhere_in_each_epoch() -> None:
    """Whole windows of it, none overlapping, as many in each epoch; the token before each is the text's own."""
    text = Ragged(np.arange(1000, dtype=np.uint16), np.array([0, 1000]))
    rows = Windows(Positions.of(text, Vocabulary(1001, None, 1000, 1000), False), 10)
    first = [sorted(laid(rows, epoch)) for epoch in range(3)]
    assert [len(found) for found in first] == [99, 99, 99]
    assert len({found[0][1] for found in first}) == 3
    for found in first:
        tokens = [token for row in found for token in row[1:]]
        assert tokens == list(range(tokens[0], tokens[0] + 990))
        assert all(row[0] == (row[1] - 1 if row[1] else 1000) for row in found)
    fixed = Windows(rows.positions, 10, shifted=False)
    assert sorted(laid(fixed, 0)) == sorted(laid(fixed, 1))


def test_packed_rows() -> None:
    """Every position once, in rows of one length, the texts in another order in each epoch; where a text begins is said."""
    positions = Positions.of(TEXTS, VOCABULARY, True)
    rows = Packed(positions, 16, seed=3)
    assert rows.lengths.tolist() == [16] * 6 + [10]
    orders = []
    for epoch in range(2):
        found = rows.take(np.arange(len(rows)), epoch)
        starts, ids = found.starts[found.inside].numpy(), found.ids[found.inside].numpy()  # type: ignore[index]
        pieces = np.split(ids, np.flatnonzero(starts)[1:])
        whole = [[*TEXTS.ids[a:b].tolist(), VOCABULARY.end] for a, b in zip(TEXTS.offsets, TEXTS.offsets[1:], strict=False)]
        assert sorted(piece.tolist() for piece in pieces) == sorted(whole)
        orders.append([piece.tolist() for piece in pieces])
        given = found.given(VOCABULARY.start)
        assert (given[found.starts] == VOCABULARY.start).all()
        flat = given[found.inside].numpy()
        assert (flat[1:][~starts[1:]] == ids[:-1][~starts[1:]]).all()
    assert orders[0] != orders[1]


@given(
    lengths=st.lists(st.integers(0, 40), min_size=1, max_size=30).filter(any),
    size=st.integers(1, 12),
    budget=st.integers(1, 60),
    kind=st.sampled_from(["windows", "packed"]),
)
@settings(max_examples=60, deadline=None)
def test_parts_stay_within_the_budget(lengths: list[int], size: int, budget: int, kind: str) -> None:
    """Whatever the layout and its rows, a one-token last row among them: parts are within the budget with their padding, or of
    one row; together they are the rows.
    """
    positions = Positions.of(texts(lengths), VOCABULARY, False)
    layout: Layout = Windows(positions, size) if kind == "windows" else Packed(positions, size)
    rows = np.random.default_rng(size).permutation(len(layout))
    parts = list(layout.parts(rows, budget))
    assert sorted(np.concatenate(parts).tolist()) == sorted(rows.tolist())
    for part in parts:
        assert len(part) == 1 or len(part) * layout.lengths[part].max() <= budget


def test_lanes_begin_elsewhere_in_each_epoch() -> None:
    """The lanes' windows are shifted anew in each epoch, by the seed, and stay within their stretch of the text."""
    layout = Lanes(Positions.of(texts([1000]), VOCABULARY, False), 8, 5, seed=2)
    marked = Ragged(np.arange(1000, dtype=np.uint32), np.array([0, 1000]))
    layout = Lanes(Positions.of(marked, Vocabulary(1001, None, 1000, 1000), False), 8, 5, seed=2)
    firsts = []
    for epoch in range(6):
        step = layout.take(layout.steps(40, epoch)[0], epoch)
        firsts.append(step.ids[:, 0].tolist())
        assert all(lane * 200 <= first < (lane + 1) * 200 for lane, first in enumerate(firsts[-1]))
        assert firsts[-1] == layout.take(layout.steps(40, epoch)[0], epoch).ids[:, 0].tolist()
    assert len({tuple(first) for first in firsts}) > 2
