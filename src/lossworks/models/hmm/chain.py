"""A hidden Markov chain as its tables of probabilities, and the first ones that training starts from.

Three ways to hold the transitions, each exact for the model that it is:

dense     one table [S, S].
low_rank  two, [S, R] and [R, S], whose product is the table: a step costs 2 S R instead of S². The rank is one more hidden
          variable, between a state and the next, so EM needs no approximation (Chiu, Deng and Rush 2021, arXiv:2201.02715).
blocked   one table [S, S], and every token is emitted by the states of one block alone, [V, S / blocks], so that of the table
          only one block is touched at a step: (S / blocks)² (Chiu and Rush 2020, arXiv:2011.04640).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...core.errors import UsageError
from ...core.seeds import generator

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from numpy.typing import NDArray

_SHARP = 0.3  # of a first transition's distribution: states that are all alike would take EM long to tell apart


@dataclass(frozen=True, slots=True)
class Tables:
    """A number for each first state, each way through the transitions, and each token of a state: of what, its kinds say."""

    start: Float[Tensor, "S"]
    factors: tuple[Float[Tensor, "_ _"], ...]
    emission: Float[Tensor, "V m"]

    def tables(self) -> tuple[Tensor, ...]:
        """Start, factors and emission."""
        return self.start, *self.factors, self.emission


@dataclass(frozen=True, slots=True)
class Chain(Tables):
    """The probabilities of S states over V tokens.

    start: of the first state [S].
    factors: tables whose rows sum to 1 and whose product is that of the transitions, [S, S] or [S, R] and [R, S].
    emission: of each token by each state of its block [V, m]; what one state emits sums to 1. States k·m to (k + 1)·m - 1
        are block k; with one block, m = S.
    block: the block of each token [V].
    """

    block: Int[Tensor, "V"]

    @property
    def states(self) -> int:
        """How many states there are."""
        return len(self.start)

    @property
    def blocks(self) -> int:
        """How many blocks they make."""
        return len(self.start) // self.emission.shape[1]

    @property
    def transitions(self) -> Float[Tensor, "S S"]:
        """The probability of each state after each."""
        return reduce(torch.mm, self.factors)

    def step(self, states: Float[Tensor, "N S"]) -> Float[Tensor, "N S"]:
        """The distribution of the next state."""
        return reduce(torch.mm, self.factors, states)

    def predict(self, states: Float[Tensor, "N S"]) -> Float[Tensor, "N V"]:
        """The distribution of the token emitted by a state of such a distribution."""
        if self.blocks == 1:
            return states @ self.emission.T
        found = states.new_zeros(len(states), len(self.emission))
        for number, part in enumerate(states.chunk(self.blocks, 1)):
            tokens = (self.block == number).nonzero()[:, 0]
            found[:, tokens] = part @ self.emission[tokens].T
        return found

    def emissions(self) -> Float[Tensor, "V S"]:
        """The emission probabilities of every state, with the zeros outside of its block."""
        return self.spread(self.emission, self.block)

    def spread(self, inside: Float[Tensor, "N m"], block: Int[Tensor, "N"]) -> Float[Tensor, "N S"]:
        """Rows over the states of a block each as rows over all states."""
        whole = inside.new_zeros(len(inside), self.blocks, inside.shape[1])
        whole[torch.arange(len(inside), device=inside.device), block] = inside
        return whole.flatten(1)

    def occupancy(self) -> Float[Tensor, "S"]:
        """How often each state is met in the long run, in float64: the distribution that the transitions leave as it is."""
        table = self.transitions.double()
        power = (table + torch.eye(len(table), dtype=table.dtype, device=table.device)) / 2  # the same one, and it has a limit
        for _ in range(40):
            power = power @ power
            power /= power.sum(1, keepdim=True)
        return self.start.double() @ power

    def to(self, device: str | torch.device | None = None, dtype: torch.dtype | None = None) -> Chain:
        """The same elsewhere, or in another precision."""
        start, *factors, emission = (table.to(device, dtype) for table in self.tables())
        return Chain(start, tuple(factors), emission, self.block.to(device))


def random_chain(
    counts: NDArray[np.int64],
    states: int,
    seed: int,
    *,
    rank: int | None = None,
    blocks: int = 1,
    block: NDArray[np.int64] | None = None,
) -> Chain:
    """A first chain in float64: every table's rows drawn at random, emissions around how often each token occurs.

    Args:
        counts: how often each of the V tokens occurs; below 0 for one that is never emitted. One of count 0 is, rarely.
        rank: of the transitions; None: any.
        blocks, block: how many blocks the states make, and that of each token; None: all are in the first.

    Raises:
        UsageError: the states do not make so many blocks.
    """
    rng = generator(seed, "hmm")
    if states % blocks:
        raise UsageError(f"got {states} states for {blocks} blocks; wanted a multiple.")
    sizes = (states, states) if rank is None else (states, rank, states)
    start, *factors = (_rows(rng.gamma(_SHARP, size=shape)) for shape in [(1, states), *itertools.pairwise(sizes)])
    of = np.zeros(len(counts), np.int64) if block is None else block
    weight = np.where(counts < 0, 0.0, counts + 1.0)[:, None] * rng.exponential(size=(len(counts), states // blocks))
    total = np.zeros((blocks, states // blocks))
    np.add.at(total, of, weight)
    emission = weight / np.where(total > 0, total, 1.0)[of]
    tables = (start[0], *factors, emission)
    first, *middle, last = map(torch.from_numpy, tables)
    return Chain(first, tuple(middle), last, torch.from_numpy(of))


def _rows(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(weight / weight.sum(1, keepdims=True))
