"""What texts say of a chain: their probability, and how often each transition and emission is expected in them (the E-step)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...core.threads import available
from ...core.torch_threads import Do, in_turn
from . import batched, per_sequence
from .chain import Chain, Tables
from .packing import Packed, Segment

if TYPE_CHECKING:
    from jaxtyping import Float

_BYTES = 768 << 20  # that a batch's rows may take where nothing is said
_TABLES = 3  # numbers of a row's states that stand at once: alpha, weight, gamma
_CHUNK = 8192  # rows to a product of counts
_ALONGSIDE = 2000  # states times texts, from which on a product of matrices is worth its overhead
_GROUPS = 16  # of batches, at most, that are counted apart
_APART = 64 << 20  # bytes that their counts may take


@dataclass(frozen=True, slots=True)
class Counts(Tables):
    """Expected counts in float64, shaped as the chain's tables; ``logp``, in nats, of all ``tokens`` together."""

    logp: float
    tokens: int

    def add(self, other: Counts) -> Counts:
        """These and the other's, in the room of these."""
        for own, more in zip(self.tables(), other.tables(), strict=True):
            own.add_(more)
        return replace(self, logp=self.logp + other.logp, tokens=self.tokens + other.tokens)


@dataclass(slots=True)
class Filtered:
    """A segment read from left to right: ``alpha`` [n, m] and ``scale`` [n], as ``batched.forward`` leaves them."""

    segment: Segment
    alpha: Float[Tensor, "n m"]
    scale: Float[Tensor, "n"]


def sizes(chain: Chain, memory: int | None = None) -> tuple[int, int]:
    """How many texts to read at once, and how many rows to hold, within ``memory`` bytes."""
    m = chain.emission.shape[1]
    width = min(1024, max(256, (1 << 15) // m))  # what a step works on stays in the cache
    return width, max(1024, (memory or _BYTES) // (_TABLES * m * chain.start.element_size()))


def filtered(chain: Chain, batches: Iterable[Packed], rows: int) -> Iterator[tuple[Packed, Filtered]]:
    """Every batch segment by segment, each in the room of the one before."""
    room = _Room(chain)
    for batch in batches:
        last = chain.start[:0]
        for segment in batch.segments(rows):
            found = _forward(chain, segment, room, last)
            last = found.alpha[segment.step(len(segment) - 1)].clone()
            yield batch, found


def groups(chain: Chain, batches: Sequence[Packed]) -> list[Sequence[Packed]]:
    """The batches in parts that may be gone through at once. How many depends on the chain and the batches alone, so that sums
    are made in the same order on any number of threads.

    One part elsewhere than on the CPU, where an operation is divided rather than the batches, of blocks, which divide each batch
    themselves, and of tables so large that there is no room for the counts of several.
    """
    size = 8 * sum(table.numel() for table in chain.tables())
    apart = chain.blocks == 1 and chain.start.device.type == "cpu"
    many = max(1, min(len(batches), _GROUPS, _APART // size)) if apart else 1
    return [batches[first::many] for first in range(many)]


def threads(batches: Sequence[Packed], rows: int) -> int:
    """How many threads can hold a batch each, where ``rows`` rows may stand in memory."""
    largest = max((len(batch.ids) for batch in batches), default=1)
    return max(1, min(available(), rows // max(1, largest)))


def log_probability(chain: Chain, batches: Sequence[Packed], rows: int, do: Do = in_turn) -> float:
    """Of all the texts together, in nats; ``do``: as of ``expectations``."""

    def of(group: Sequence[Packed]) -> float:
        parts = (found.scale[found.segment.new].double().log().sum() for _, found in filtered(chain, group, rows))
        return math.fsum(map(float, parts))

    return math.fsum(do([partial(of, group) for group in groups(chain, batches)]))


def smoothed(chain: Chain, batches: Iterable[Packed], rows: int) -> Iterator[tuple[Packed, Filtered, Tensor, Tensor]]:
    """Every batch from its last segment to its first: what ``forward`` left, and ``weight`` and ``gamma`` of ``backward``.

    Of a batch in several segments only the states between them are kept, and the others computed anew.
    """
    room, weights, gammas = _Room(chain), _Room(chain), _Room(chain)
    for batch in batches:
        segments = batch.segments(rows)
        between = [chain.start[:0]]
        for segment in segments:
            found = _forward(chain, segment, room, between[-1])
            between.append(found.alpha[segment.step(len(segment) - 1)].clone())
        after = None
        for number, segment in reversed(list(enumerate(segments))):
            if number < len(segments) - 1:
                found = _forward(chain, segment, room, between[number])
            weight, gamma = weights.take(len(segment.ids)), gammas.take(len(segment.ids))
            _way(chain, segment).backward(chain, segment, found.alpha, found.scale, weight, gamma, after)
            yield batch, found, weight, gamma
            if segment.known:
                first = segment.step(1)
                after = weight[first].clone(), segment.ids[first]


def expectations(chain: Chain, batches: Sequence[Packed], rows: int, do: Do = in_turn) -> Counts:
    """The expected counts of all texts.

    Rabiner 1989, eqs. 40; of low-rank transitions the rank is a hidden variable too, between a state and the next.

    Args:
        rows: of a batch that stand in memory at once.
        do: counts the groups of batches.
    """
    counts = reduce(Counts.add, do([partial(_counted, chain, group, rows) for group in groups(chain, batches)]))
    for total, factor in zip(counts.factors, chain.factors, strict=True):
        total.mul_(factor)
    return counts


def _counted(chain: Chain, batches: Sequence[Packed], rows: int) -> Counts:
    """The counts of some batches, those of transitions without the factors that they have in common."""
    start, *factors, emission = (torch.zeros_like(table, dtype=torch.float64) for table in chain.tables())
    logp, tokens = 0.0, 0
    for _, found, weight, gamma in smoothed(chain, batches, rows):
        segment = found.segment
        new = segment.new
        logp += float(found.scale[new].double().log().sum())
        tokens += new.stop - new.start
        ids = segment.ids[new]
        for part, of in zip(torch.split(gamma[new], _CHUNK), torch.split(ids, _CHUNK), strict=True):
            emission.index_add_(0, of, part.double())
        if not segment.known:
            first = segment.step(0)
            start.view(chain.blocks, -1).index_add_(0, chain.block[segment.ids[first]], gamma[first].double())
        if chain.blocks > 1:
            per_sequence.count_transitions(chain, segment, found.alpha, weight, factors[0])
        else:
            _count_transitions(chain, found, weight, factors)
    return Counts(start, tuple(factors), emission, logp, tokens)


def _count_transitions(chain: Chain, found: Filtered, weight: Float[Tensor, "n S"], totals: Sequence[Tensor]) -> None:
    """Add what stands on both sides of each factor, over the segment's transitions, to its total."""
    before, rows = found.segment.pairs
    for number, right in enumerate(torch.split(weight[rows], _CHUNK)):
        chosen = slice(number * _CHUNK, number * _CHUNK + len(right))
        left = found.alpha[chosen] if found.segment.even else found.alpha.index_select(0, before[chosen])
        for at, (factor, total) in enumerate(zip(chain.factors, totals, strict=True)):
            beyond = reduce(torch.mm, (later.T for later in reversed(chain.factors[at + 1 :])), right)
            total.add_(left.T @ beyond)
            left = left @ factor if at + 1 < len(totals) else left


def _forward(chain: Chain, segment: Segment, room: _Room, last: Tensor) -> Filtered:
    alpha = room.take(len(segment.ids))
    scale = alpha.new_ones(len(alpha))
    if segment.known:
        alpha[segment.step(0)] = last
    _way(chain, segment).forward(chain, segment, alpha, scale)
    return Filtered(segment, alpha, scale)


def _way(chain: Chain, segment: Segment) -> Any:
    """Text by text for blocks and for few texts at once; all together for factored tables and devices."""
    if chain.blocks > 1:
        return per_sequence
    few = len(segment.ids) * chain.states < _ALONGSIDE * len(segment)
    return per_sequence if few and len(chain.factors) == 1 and chain.start.device.type == "cpu" else batched


class _Room:
    """Memory for one number a state and row, used again and again: fresh pages cost as much as the numbers."""

    def __init__(self, chain: Chain) -> None:
        self._rows = chain.emission.new_empty(0, chain.emission.shape[1])

    def take(self, rows: int) -> Float[Tensor, "rows m"]:
        if len(self._rows) < rows:
            self._rows = self._rows.new_empty(rows, self._rows.shape[1])
        return self._rows[:rows]
