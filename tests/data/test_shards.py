"""Rows kept in memory or on disk, and the order in which they are seen."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from lossworks.core.errors import RecordError
from lossworks.data import Ragged, Shards, epoch_order

ROWS = 700


def filled(folder: Path, budget: int, seed: str = "0/1") -> Shards:
    """Rows 0 to 699 in blocks; row n holds the ids n, n + 1, … of n mod 5 numbers; one more row in each block is not chosen."""
    store = Shards(folder, seed, budget, "train")
    for start in range(0, ROWS, 90):
        numbers = np.arange(start, min(start + 90, ROWS))
        ids = [n + k for n in numbers for k in range(n % 5)]
        block = Ragged(np.array([7, 7, *ids], np.uint32), np.cumsum([0, 2, *(numbers % 5)]))
        store.append(numbers, block, np.arange(1, len(block)))
    return store


def contents(store: Shards) -> Counter[tuple[int, tuple[int, ...]]]:
    """Every row with its number, over all pieces."""
    found: Counter[tuple[int, tuple[int, ...]]] = Counter()
    for piece in range(store.pieces):
        numbers, rows = store.rows(piece), store.load(piece)
        assert len(numbers) == len(rows) == store.count(piece)
        spans = zip(numbers, rows.offsets[:-1], rows.offsets[1:], strict=True)
        found.update((int(number), tuple(rows.ids[a:b].tolist())) for number, a, b in spans)
    return found


@pytest.mark.parametrize(("budget", "on_disk"), [(0, True), (2000, True), (1 << 20, False)])
def test_every_row_once(tmp_path: Path, budget: int, on_disk: bool) -> None:
    """In memory, on disk, or moved to disk halfway: each row is there once, with its ids; reading twice gives the same."""
    store = filled(tmp_path, budget)
    assert (store.pieces > 1) == on_disk == any(tmp_path.iterdir())
    assert contents(store) == {(n, tuple(range(n, n + n % 5))): 1 for n in range(ROWS)} == contents(store)
    store.close()
    assert not any(tmp_path.iterdir())


def test_pieces_are_fair_samples(tmp_path: Path) -> None:
    """Rows go to the pieces by chance, not in runs, by the seed and nothing else."""
    for name in "abc":
        (tmp_path / name).mkdir()
    store, again, other = (filled(tmp_path / name, 0, seed) for name, seed in [("a", "0"), ("b", "0"), ("c", "1")])
    pieces = range(store.pieces)
    assert all(np.array_equal(store.rows(p), again.rows(p)) for p in pieces)
    assert any(not np.array_equal(store.rows(p), other.rows(p)) for p in pieces)
    assert max(store.count(p) for p in pieces) < 5 * ROWS / store.pieces
    assert np.mean([store.rows(p).mean() for p in pieces if store.count(p)]) == pytest.approx(ROWS / 2, rel=0.1)
    for each in (store, again, other):
        each.close()


def test_files_of_a_killed_run_do_no_harm(tmp_path: Path) -> None:
    """Pieces that a crash left behind are written over, not added to."""
    filled(tmp_path, 0, seed="another")
    assert contents(filled(tmp_path, 0)) == {(n, tuple(range(n, n + n % 5))): 1 for n in range(ROWS)}


def test_full_disk_or_no_permission(tmp_path: Path) -> None:
    """A place that cannot be written is named."""
    with pytest.raises(RecordError, match=r"cannot write .*train-0"):
        filled(tmp_path / "missing", 0)


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_order_is_a_permutation(count: int) -> None:
    """Each example once an epoch."""
    assert sorted(epoch_order(3, 2, count)) == list(range(count))


def test_order_depends_on_seed_epoch_and_part_only() -> None:
    """The same everywhere and always; another seed, epoch or part is another order. The numbers are pinned."""
    orders = [epoch_order(*key) for key in [(0, 0, 50), (1, 0, 50), (0, 1, 50), (0, 0, 50, "rows", 1)]]
    np.random.default_rng(5).random(3)
    assert np.array_equal(epoch_order(0, 0, 50), orders[0])
    assert len({tuple(order) for order in orders}) == 4
    assert epoch_order(0, 0, 8).tolist() == [3, 0, 7, 1, 2, 4, 6, 5]


def test_a_few_rows_do_not_hold_their_block(tmp_path: Path) -> None:
    """What is kept of a block in memory is in proportion to the rows chosen from it."""
    store = Shards(tmp_path, "0/2", 1 << 20, "test")
    block = Ragged(np.arange(100_000, dtype=np.uint32), np.arange(0, 100_001, 10))
    store.append(np.arange(3), block, np.array([5, 70, 900]))
    assert not np.shares_memory(store.load(0).ids, block.ids)
    assert store.load(0).ids.tolist() == [*range(50, 60), *range(700, 710), *range(9000, 9010)]
