"""Ragged rows, sums of table rows and their gradients, against whole matrices in float64."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lossworks.data import Batch, Ragged, RowGradient, SparseEmbedding
from lossworks.data.row_gradient import row_sums

Rows = list[list[int]]
rows_of_ids = st.lists(st.lists(st.integers(0, 12), max_size=6), max_size=6)


def ragged(rows: Rows) -> Ragged:
    """Lists as ragged rows."""
    return Ragged(np.fromiter(chain.from_iterable(rows), np.uint32), np.cumsum([0, *map(len, rows)]))


def unpacked(of: Ragged) -> Rows:
    """Ragged rows as lists."""
    return [of.ids[a:b].tolist() for a, b in zip(of.offsets[:-1], of.offsets[1:], strict=True)]


def batch_of(rows: Rows, seed: int = 0) -> Batch:
    """The rows with values drawn at random."""
    flat = ragged(rows)
    values = np.random.default_rng(seed).normal(size=len(flat.ids)).astype(np.float32)
    return Batch(flat.ids.view(np.int32), flat.offsets, values, torch.empty(0), torch.empty(0))


def matrix(batch: Batch, rows: int) -> np.ndarray:
    """The batch as a whole matrix; an id that stands twice in an example counts twice."""
    whole = np.zeros((len(batch), rows))
    examples = np.repeat(np.arange(len(batch)), np.diff(batch.offsets))
    np.add.at(whole, (examples, batch.ids), batch.values.astype(np.float64))
    return whole


def many(examples: int, rows: int) -> Batch:
    """Enough work to be divided among threads; ids repeat within an example, some examples are empty."""
    rng = np.random.default_rng(3)
    lengths = rng.integers(0, 30, examples)
    return batch_of([rng.integers(0, rows, length).tolist() for length in lengths])


@settings(deadline=None, max_examples=60)
@given(rows_of_ids, st.data())
def test_take(rows: Rows, data: st.DataObject) -> None:
    """Rows are taken in any order, also twice or none; into the room given, which is written no further than needed."""
    whole = ragged(rows)
    wanted = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=8)) if rows else []
    chosen = [rows[number] for number in wanted]
    assert unpacked(whole.take(np.array(wanted, np.int64))) == chosen
    room = np.full(100, 99, np.uint32)
    taken = whole.take(np.array(wanted, np.int64), room)
    assert unpacked(taken) == chosen
    assert room.tolist() == [*chain.from_iterable(chosen), *[99] * (100 - len(taken.ids))]


@settings(deadline=None, max_examples=60)
@given(rows_of_ids, st.integers(1, 4), st.sampled_from([np.float32, np.float64]))
def test_sums_and_gradient(rows: Rows, width: int, kind: type) -> None:
    """X W and XᵀG are the matrix products, ids twice in a row and empty rows included; untouched rows are zero."""
    batch, rng = batch_of(rows), np.random.default_rng(1)
    table, outer = rng.normal(size=(13, width)).astype(kind), rng.normal(size=(len(rows), width)).astype(kind)
    whole = matrix(batch, 13)
    np.testing.assert_allclose(row_sums(batch, table), whole @ table, atol=1e-5)
    gradient = RowGradient(13, width, kind)
    gradient.add(batch, outer)
    np.testing.assert_allclose(gradient.dense(), whole.T @ outer, atol=1e-5)
    assert sorted(gradient.rows()) == sorted(set(chain.from_iterable(rows)))
    assert gradient.dense().dtype == kind


def test_a_step_of_several_batches() -> None:
    """A gradient gathers over batches; ``clear`` forgets all of it; ``touch`` marks and adds nothing."""
    first, second, third = batch_of([[0, 3], [3]], 1), batch_of([[3, 5]], 2), batch_of([[7, 0]], 3)
    outer = np.random.default_rng(0).normal(size=(2, 2)).astype(np.float32)
    gradient = RowGradient(9, 2)
    gradient.add(first, outer)
    gradient.touch(third)
    gradient.add(second, outer[:1])
    both = matrix(first, 9).T @ outer + matrix(second, 9).T @ outer[:1]
    np.testing.assert_allclose(gradient.dense(), both, atol=1e-6)
    assert sorted(gradient.rows()) == [0, 3, 5, 7]
    gradient.clear()
    assert not gradient.dense().any()
    assert len(gradient.rows()) == 0
    gradient.add(second, outer[:1])
    np.testing.assert_allclose(gradient.dense(), matrix(second, 9).T @ outer[:1], atol=1e-6)


def test_a_whole_gradient() -> None:
    """``fill`` touches every row, whatever stood there before."""
    whole = np.arange(22, dtype=np.float32).reshape(11, 2)
    gradient = RowGradient(11, 2)
    gradient.add(batch_of([[4]]), np.ones((1, 2), np.float32))
    gradient.fill(whole)
    assert np.array_equal(gradient.dense(), whole)
    assert sorted(gradient.rows()) == list(range(11))


@pytest.mark.parametrize("rows", [1, 997])
def test_threads_do_not_matter(rows: int, threads: Callable[[int], None]) -> None:
    """Sums and gradients have the same bits on 1, 2 and 4 threads, also where there are fewer rows than threads."""
    batch, rng = many(2000, rows), np.random.default_rng(0)
    table, outer = rng.normal(size=(rows, 3)).astype(np.float32), rng.normal(size=(2000, 3)).astype(np.float32)
    found = []
    for count in (1, 2, 4):
        threads(count)
        gradient = RowGradient(rows, 3)
        gradient.add(batch, outer)
        found.append(np.concatenate([row_sums(batch, table), gradient.dense()]).tobytes())
    assert found[0] == found[1] == found[2]
    threads(1)  # a gradient made for four threads is as good on one
    gradient.clear()
    gradient.add(batch, outer)
    assert gradient.dense().tobytes() == np.frombuffer(found[0], np.float32)[2000 * 3 :].tobytes()


@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_table_against_autograd(kind: torch.dtype) -> None:
    """The table's output and gradient are those of a whole matrix product by PyTorch, by rows and dense."""
    batch = batch_of([[1, 1, 4], [], [4, 0]])
    weight = torch.randn(6, 3, dtype=kind, generator=torch.Generator().manual_seed(0))
    whole = torch.from_numpy(matrix(batch, 6)).to(kind)
    plain = weight.clone().requires_grad_()
    (whole @ plain).square().sum().backward()
    table = SparseEmbedding(weight)
    out = table(batch)
    out.square().sum().backward()
    torch.testing.assert_close(out, whole @ weight)
    torch.testing.assert_close(table.weight.grad, plain.grad)
    table.weight.grad, table.gradient = None, RowGradient(6, 3, weight.numpy().dtype)
    table(batch).square().sum().backward()
    assert table.weight.grad is None
    torch.testing.assert_close(torch.from_numpy(table.gradient.dense()), plain.grad)
    ids, starts, values = batch.tensors(torch.device("cpu"))
    sums = torch.nn.functional.embedding_bag(ids, weight, starts, mode="sum", per_sample_weights=values.to(kind))
    torch.testing.assert_close(sums, whole @ weight)
