"""Forward and backward text by text, in compiled code: for few long texts, and for tables in blocks. On the CPU.

The numbers are those of ``batched``; a token touches only the states of its block, so a row has m of them. Texts are divided
among threads, and pairs of blocks where transitions are counted, so no sum depends on the number of threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from ...core.threads import share
from .chain import Chain
from .packing import Segment

if TYPE_CHECKING:
    from jaxtyping import Float


def forward(chain: Chain, segment: Segment, alpha: Float[Tensor, "n m"], scale: Float[Tensor, "n"]) -> None:
    """As ``batched.forward``."""
    share(_forward, alpha.numel(), *_tables(chain), *_rows(segment), alpha.numpy(), scale.numpy())


def backward(
    chain: Chain,
    segment: Segment,
    alpha: Float[Tensor, "n m"],
    scale: Float[Tensor, "n"],
    weight: Float[Tensor, "n m"],
    gamma: Float[Tensor, "n m"],
    after: tuple[Float[Tensor, "B m"], Tensor] | None,
) -> None:
    """As ``batched.backward``."""
    _, table, emission, block = _tables(chain)
    table = np.ascontiguousarray(table.T)
    later, ids = (alpha[:0], segment.ids[:0]) if after is None else after
    arrays = (alpha.numpy(), scale.numpy(), weight.numpy(), gamma.numpy(), later.numpy(), ids.numpy())
    share(_backward, alpha.numel(), table, emission, block, *_rows(segment), *arrays)


def count_transitions(
    chain: Chain, segment: Segment, alpha: Float[Tensor, "n m"], weight: Float[Tensor, "n m"], total: Float[Tensor, "S S"]
) -> None:
    """Add Σ alpha_i weight_j over the segment's transitions to each pair of states of ``total``."""
    before, rows = segment.pairs
    blocks, block = chain.blocks, chain.block.numpy()
    ids = segment.ids.numpy()
    pair = block[ids[before.numpy()]] * blocks + block[ids[rows]]
    order = np.argsort(pair, kind="stable")
    ends = np.searchsorted(pair[order], np.arange(blocks * blocks), "right")
    arrays = (order + rows.start, before.numpy()[order], ends, alpha.numpy(), weight.numpy(), total.numpy())
    share(_count, alpha.numel() * alpha.shape[1], blocks, *arrays)


def viterbi(chain: Chain, segment: Segment, path: NDArray[np.int32]) -> None:
    """Fill ``path`` with the states of the most probable way through each text of a whole batch; of equals, the first."""
    start, table, emission, block = _tables(chain)
    with np.errstate(divide="ignore"):
        start, table, emission = np.log(start), np.log(table), np.log(emission)
    share(_viterbi, path.size * emission.shape[1], start, table, emission, block, segment.ids.numpy(), segment.offsets, path)


def _tables(chain: Chain) -> tuple[NDArray[Any], ...]:
    tables = chain.start, chain.transitions, chain.emission, chain.block
    return tuple(np.ascontiguousarray(table.numpy()) for table in tables)


def _rows(segment: Segment) -> tuple[NDArray[Any], NDArray[np.int64], bool]:
    return segment.ids.numpy(), segment.offsets, segment.known


@njit(cache=True, nogil=True, error_model="numpy")
def _forward(part, parts, start, table, emission, block, ids, offsets, known, alpha, scale):  # type: ignore[no-untyped-def]
    m = emission.shape[1]
    for text in range(part, offsets[1], parts):
        row, state = text, 0
        for step in range(len(offsets) - 1):
            before, state_before = row, state
            row = offsets[step] + text
            if row >= offsets[step + 1]:
                break
            state = block[ids[row]] * m
            if known and step == 0:
                continue
            here = alpha[row]
            if step == 0:
                here[:] = start[state : state + m]
            else:
                here[:] = 0
                for i in range(m):
                    a = alpha[before, i]
                    if a > 0:
                        line = table[state_before + i, state : state + m]
                        for j in range(m):
                            here[j] += a * line[j]
            reach = here.sum()
            total = here.dtype.type(0)
            token = emission[ids[row]]
            for j in range(m):
                total += here[j] * token[j]
            scale[row] = total
            if total > 0:
                for j in range(m):
                    here[j] = here[j] * token[j] / total
            elif reach > 0:  # impossible: as if it had not been seen, but for its block
                here /= reach
            else:
                here[:] = here.dtype.type(1) / m


@njit(cache=True, nogil=True, error_model="numpy")
def _backward(part, parts, back, emission, block, ids, offsets, known, alpha, scale, weight, gamma, later, later_ids):  # type: ignore[no-untyped-def]
    m = emission.shape[1]
    steps = len(offsets) - 1
    smallest = np.finfo(alpha.dtype).tiny
    for text in range(part, offsets[1], parts):
        last = steps - 1
        while offsets[last] + text >= offsets[last + 1]:
            last -= 1
        for step in range(last, -1 if not known else 0, -1):
            row = offsets[step] + text
            state = block[ids[row]] * m
            beta = gamma[row]
            ends = step == last and (last < steps - 1 or text >= len(later))
            if ends:
                beta[:] = 1
            else:
                beta[:] = 0
                after = later[text] if step == steps - 1 else weight[offsets[step + 1] + text]
                token = later_ids[text] if step == steps - 1 else ids[offsets[step + 1] + text]
                to = block[token] * m
                for j in range(m):
                    w = after[j]
                    if w > 0:
                        line = back[to + j, state : state + m]
                        for i in range(m):
                            beta[i] += w * line[i]
            impossible = scale[row] == 0
            for i in range(m):
                a = alpha[row, i]
                e = beta[i] if impossible else emission[ids[row], i] * beta[i] / scale[row]
                weight[row, i] = e if a >= smallest else 0  # what is impossible by now would grow without bound
                beta[i] *= a


@njit(cache=True, nogil=True)
def _count(part, parts, blocks, rows, before, ends, alpha, weight, total):  # type: ignore[no-untyped-def]
    m = alpha.shape[1]
    for pair in range(part, len(ends), parts):
        top, left = pair // blocks * m, pair % blocks * m
        for at in range(ends[pair - 1] if pair else 0, ends[pair]):
            after = weight[rows[at]]
            for i in range(m):
                a = alpha[before[at], i]
                if a > 0:
                    line = total[top + i, left : left + m]
                    for j in range(m):
                        line[j] += a * after[j]


@njit(cache=True, nogil=True)
def _viterbi(part, parts, start, table, emission, block, ids, offsets, path):  # type: ignore[no-untyped-def]
    m = emission.shape[1]
    came = np.empty((len(offsets) - 1, m), np.int32)
    best, next_best = np.empty(m, start.dtype), np.empty(m, start.dtype)
    for text in range(part, offsets[1], parts):
        state, last = 0, 0
        for step in range(len(offsets) - 1):
            row = offsets[step] + text
            if row >= offsets[step + 1]:
                break
            state_before, state, last = state, block[ids[row]] * m, step
            token = emission[ids[row]]
            if step == 0:
                for j in range(m):
                    best[j] = start[state + j] + token[j]
                continue
            next_best[:] = -np.inf
            came[step, :] = 0
            for i in range(m):
                line = table[state_before + i, state : state + m]
                for j in range(m):
                    reached = best[i] + line[j]
                    if reached > next_best[j]:
                        next_best[j], came[step, j] = reached, i
            for j in range(m):
                best[j] = next_best[j] + token[j]
        at = np.argmax(best)
        for step in range(last, -1, -1):
            row = offsets[step] + text
            path[row] = block[ids[row]] * m + at
            if step:
                at = came[step, at]
