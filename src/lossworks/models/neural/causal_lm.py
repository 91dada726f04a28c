"""A network as training asks it: the scores of every token of a batch of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...core.errors import UsageError
from ...data import TokenRows
from ...scores import Scores, dense, fused
from ...tokens import Vocabulary
from ..networks import SequenceNetwork
from .model import NeuralModel
from .network import LanguageNetwork

if TYPE_CHECKING:
    from jaxtyping import Float

    from ...scores.teacher import Teacher

_FEW = 1 << 20  # logits that may as well stand whole: for so few, chunks and tiles cost more than they save


class CausalLM(SequenceNetwork):
    """``network`` beside what its tokens mean.

    carried: of each layer of a network that carries a state, the states of all lanes; empty before the first step.
    """

    def __init__(self, network: LanguageNetwork, vocabulary: Vocabulary, *, ends: bool = True) -> None:
        super().__init__()
        self.network = network
        self.vocabulary, self.ends = vocabulary, ends
        self.carries, self.packs, self.context = network.carries, network.packs, network.context  # type: ignore[misc]
        self.carried: tuple[tuple[Tensor, ...], ...] = ()

    def scores(self, rows: TokenRows, teacher: Teacher | None = None) -> Scores:
        kept = slice(None) if rows.full else rows.inside.flatten()
        hidden, target = self.hidden(rows).flatten(0, 1)[kept], rows.ids.flatten()[kept]
        classes = getattr(self.network.head, "out_features", None)
        if classes is not None and len(target) * classes <= _FEW:
            return dense(self.network.logits(hidden), target, teacher=teacher)
        return fused(hidden, self.network.head, target, softcap=self.network.softcap, teacher=teacher)

    def model(self) -> NeuralModel:
        return NeuralModel(self.network, self.vocabulary, ends=self.ends)

    def hidden(self, rows: TokenRows) -> Float[Tensor, "B T d"]:
        """The states that predict the rows' tokens, in the weights' own dtype."""
        given = rows.given(self.vocabulary.start)
        with torch.autocast(given.device.type, self.dtype, enabled=self.dtype is not torch.float32):
            states = self.network.hidden(given, rows.documents) if rows.lanes is None else self._continued(given, rows)
        return states.to(next(self.network.parameters()).dtype)

    def carry(self) -> list[Tensor]:
        return [each for layer in self.carried for each in layer]

    def load_carry(self, carry: list[Tensor]) -> None:
        left = iter(carry)
        self.carried = tuple(tuple(next(left) for _ in layer) for layer in self.network.start(1)) if carry else ()

    def _continued(self, given: Tensor, rows: TokenRows) -> Float[Tensor, "B T d"]:
        """The states of rows that go on in their lanes, whose states are then those after them, without a past."""
        lanes = rows.lanes
        if not self.carries:
            raise UsageError("the network carries no state from row to row. Give it rows that each begin anew.")
        if not self.carried:
            begun = self.network.start(rows.lane_count)
            self.carried = tuple(tuple(each.clone() for each in layer) for layer in begun)  # they are written on
        state = tuple(tuple(each[:, lanes] for each in layer) for layer in self.carried)
        states, after = self.network.advance(state, given)
        for whole, part in zip(self.carry(), (each for layer in after for each in layer), strict=True):
            whole[:, lanes] = part.detach().to(whole.dtype)
        return states
