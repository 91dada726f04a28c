"""The same chain as a network: its tables are softmaxes of free weights, so any loss and any optimiser can train it."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ...data import TokenRows
from ...scores import Scores, dense
from ...tokens import Vocabulary
from ..networks import SequenceNetwork
from .chain import Chain
from .model import HmmModel

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

    from ...scores.teacher import Teacher


class HmmNetwork(SequenceNetwork):
    """Unnormalised log-probabilities: start [S], factors, emission [S, V], each row softmaxed.

    What has probability 0 in ``chain`` by its structure (a token that is never emitted, a token of another block) keeps it;
    any other 0 starts as the smallest number there is.
    """

    possible: Bool[Tensor, "S V"]
    block: Int[Tensor, "V"]

    def __init__(self, chain: Chain, vocabulary: Vocabulary, *, ends: bool = True) -> None:
        super().__init__()
        self.vocabulary, self.ends = vocabulary, ends
        self.start = nn.Parameter(_log(chain.start))
        self.factors = nn.ParameterList([_log(factor) for factor in chain.factors])
        emission = chain.emissions().T
        self.emission = nn.Parameter(_log(emission))
        inside = torch.arange(chain.blocks, device=chain.block.device).repeat_interleave(chain.emission.shape[1])
        self.register_buffer("possible", (inside[:, None] == chain.block) & (emission.sum(0) > 0), persistent=False)
        self.register_buffer("block", chain.block, persistent=False)
        self._blocks = chain.blocks

    def probabilities(self) -> tuple[Float[Tensor, "S"], list[Float[Tensor, "_ _"]], Float[Tensor, "S V"]]:
        """Start, factors and emission, every row a distribution."""
        emission = self.emission.masked_fill(~self.possible, -torch.inf).softmax(1)
        return self.start.softmax(0), [factor.softmax(1) for factor in self.factors], emission

    def scores(self, rows: TokenRows, teacher: Teacher | None = None) -> Scores:
        ids, lengths = rows.ids, rows.lengths
        order = torch.argsort(lengths, descending=True, stable=True)
        widths = (lengths[:, None] > torch.arange(int(lengths.max()), device=ids.device)).sum(0).tolist()
        start, factors, emission = self.probabilities()
        of_token = emission.T
        states, seen = start.expand(widths[0], -1), []
        for step, width in enumerate(widths):
            if step:
                states = reduce(torch.mm, factors, states[:width])
            seen.append(states)
            if step + 1 < len(widths):
                states = states * of_token[ids[order[:width], step]]
                states = states / states.sum(1, keepdim=True).clamp_min(torch.finfo(states.dtype).tiny)
        of = torch.cat([order[:width] for width in widths])
        steps = torch.arange(len(widths), device=ids.device).repeat_interleave(torch.tensor(widths, device=ids.device))
        place = torch.argsort(of * ids.shape[1] + steps)
        predicted = torch.cat(seen)[place] @ emission
        logp = predicted.clamp_min(torch.finfo(predicted.dtype).tiny).log()
        return dense(logp, ids[of[place], steps[place]].long(), teacher=teacher)

    @torch.no_grad()
    def chain(self) -> Chain:
        """The probabilities as they stand."""
        start, factors, emission = self.probabilities()
        m = len(start) // self._blocks
        tokens = torch.arange(len(self.block), device=self.block.device)
        inside = emission.T.reshape(-1, self._blocks, m)[tokens, self.block]
        return Chain(start, tuple(factors), inside.contiguous(), self.block)

    def model(self) -> HmmModel:
        """The language model that the weights make now."""
        return HmmModel(self.chain(), self.vocabulary, ends=self.ends)


def _log(table: Tensor) -> Tensor:
    return table.clamp_min(torch.finfo(table.dtype).tiny).log().contiguous()
