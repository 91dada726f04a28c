"""Baum–Welch: expected counts, then the tables that make them most probable, again and again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...core.errors import DataError
from ...core.torch_threads import Do, in_turn, team
from .chain import Chain
from .expectation import Counts, expectations, log_probability, threads
from .packing import Packed

if TYPE_CHECKING:
    from jaxtyping import Float


@dataclass(slots=True)
class Trained:
    """A chain after EM. ``nll``: nats a token of the training texts before each iteration; ``score``: of the held-out texts
    (of the training texts where there are none), which ``chain`` is the best by.
    """

    chain: Chain
    nll: list[float]
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BaumWelch:
    """EM from a first chain. A probability of 0 stays 0; a state that nothing visits keeps its rows.

    iterations: at most.
    tolerance: nats a token; training ends when an iteration gains less on what it is judged by.
    prior: pseudo-count of every start, transition and emission that has not probability 0.
    patience: iterations without a better held-out score before training ends.
    rows: that stand in memory at once.
    """

    iterations: int
    tolerance: float
    prior: float
    patience: int
    rows: int

    def run(
        self,
        chain: Chain,
        batches: list[Packed],
        held_out: list[Packed] | None = None,
        watch: Callable[[dict[str, Any]], None] = lambda fields: None,
    ) -> Trained:
        """Train on ``batches``; the chain of the best held-out score where there is such.

        Raises:
            DataError: a text is impossible under the chain, so nothing is expected of it; or a held-out one under every chain.
        """
        with team(threads([*batches, *(held_out or [])], self.rows)) as do:
            return self._run(chain, batches, held_out, watch, do)

    def _run(
        self, chain: Chain, batches: list[Packed], held_out: list[Packed] | None, watch: Callable[[dict[str, Any]], None], do: Do
    ) -> Trained:
        best, history, stale = Trained(chain, [], math.inf), list[float](), 0
        for iteration in range(1, self.iterations + 1):
            began = time.monotonic()
            counts = expectations(chain, batches, self.rows, do)
            history.append(-counts.logp / counts.tokens)
            if not math.isfinite(history[-1]):
                raise DataError("a training text has probability 0 under the model. Give tokens that it can emit, or a prior.")
            chain = maximised(chain, counts, self.prior)
            score = history[-1] if held_out is None else nll(chain, held_out, self.rows, do)
            figures = {"nll": history[-1]} | ({} if held_out is None else {"held_out": score})
            watch({"iteration": iteration, "of": self.iterations, **figures, "seconds": time.monotonic() - began})
            gain = best.score - score
            if held_out is None or gain > 0:
                best = Trained(chain, history, score)
            stale = 0 if gain > self.tolerance else stale + 1
            if stale >= (1 if held_out is None else self.patience):
                break
        if not best.nll:
            raise DataError("a held-out text has probability 0 under the model. Give a prior above 0.")
        return best


def maximised(chain: Chain, counts: Counts, prior: float = 0.0) -> Chain:
    """The chain under which the expected counts, and ``prior`` more of each, are most probable (the M-step)."""
    first = _rows(chain.start[None], counts.start[None], prior)[0]
    factors = tuple(_rows(table, count, prior) for table, count in zip(chain.factors, counts.factors, strict=True))
    count = _with_prior(chain.emission, counts.emission, prior)
    total = count.new_zeros(chain.blocks, count.shape[1]).index_add_(0, chain.block, count)[chain.block]
    emission = torch.where(total > 0, count / total, chain.emission.double())
    return Chain(first, factors, emission, chain.block).to(dtype=chain.start.dtype)


def nll(chain: Chain, batches: list[Packed], rows: int, do: Do = in_turn) -> float:
    """Nats a token."""
    return -log_probability(chain, batches, rows, do) / max(1, sum(len(batch.ids) for batch in batches))


def _rows(table: Float[Tensor, "rows n"], count: Float[Tensor, "rows n"], prior: float) -> Float[Tensor, "rows n"]:
    count = _with_prior(table, count, prior)
    total = count.sum(1, keepdim=True)
    return torch.where(total > 0, count / total, table.double())


def _with_prior(table: Tensor, count: Tensor, prior: float) -> Tensor:
    return count + prior * (table > 0) if prior else count
