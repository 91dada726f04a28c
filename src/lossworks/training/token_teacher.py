"""A language model as a teacher of another: what it says of the tokens of a step, asked when the step is made.

Nothing that it says is kept, so memory does not grow with the texts, and a resumed training hears the same. It reads what stands
in a row, and some of what stands before it in its text.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data import Ragged, TokenRows
from ..data.layouts import Layout, Positions
from ..models import LanguageModel
from ..models.neural import NeuralModel
from ..models.pool import FLOOR
from ..scores import Dense, dense

_LEAST = 16
"""Tokens before a row that are read too, at the least: more than any usual n-gram model looks back on."""
Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TokenTeacher:
    """A model, and the layout of the texts that are learned from; tokens must mean the same to both."""

    model: LanguageModel
    layout: Layout

    def scores(self, rows: Places, epoch: int, taken: TokenRows) -> Dense:
        """What it says at the positions of some rows, which are ``taken`` for the network, on the network's device.

        What it holds impossible counts as improbable (``FLOOR`` nats), so every divergence from it is finite.
        """
        at, text = self.layout.places(rows, epoch)
        inside = np.arange(at.shape[1]) < self.layout.lengths[rows][:, None]
        row = np.broadcast_to(np.arange(len(rows))[:, None], at.shape)
        before = max(_LEAST, int(self.layout.lengths.max()) // 2)
        some = row[inside], np.broadcast_to(text, at.shape)[inside], at[inside]
        said = self._said(*_stretches(self.layout.positions, *some, before))
        target = taken.ids[taken.inside]
        return dense(said.to(target.device).clamp_min(FLOOR), target)

    def _said(self, stretches: Ragged, asked: Places) -> Tensor:
        """Log-probabilities [n, V], in float32; of a network they never leave its device."""
        if not isinstance(self.model, NeuralModel):
            return torch.from_numpy(self.model.at(stretches)(asked).astype(np.float32))
        with torch.no_grad():
            hidden = self.model.hidden(stretches)[torch.from_numpy(asked)]
            return self.model.network.logits(hidden).float().log_softmax(-1)


def _stretches(positions: Positions, row: Places, text: Places, at: Places, before: int) -> tuple[Ragged, Places]:
    """The texts around some positions, cut ``before`` tokens before each run of them, and where in these the positions are.

    Args:
        row, text, at: of each position [n], the row and the text that it stands in, and its number.
    """
    begins = np.flatnonzero(np.concatenate([[True], (np.diff(at) != 1) | (np.diff(text) != 0) | (np.diff(row) != 0)]))
    of, last = text[begins], np.append(begins[1:], len(at)) - 1
    offsets, whole = positions.texts.offsets[of], np.diff(positions.texts.offsets)[of]
    first = np.maximum(at[begins] - positions.bounds[of] - before, 0)
    sizes = np.minimum(at[last] - positions.bounds[of] + 1, whole) - first
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    places = np.repeat(offsets + first - bounds[:-1], sizes) + np.arange(bounds[-1])
    starts = bounds[:-1] + (positions.end is not None) * np.arange(len(begins))  # a cut text has an end too, never asked for
    asked = at - np.repeat(positions.bounds[of] + first - starts, last - begins + 1)
    return Ragged(np.asarray(positions.texts.ids[places], np.uint32), bounds), asked
