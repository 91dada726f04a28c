"""Integrated gradients of encoders: what each token adds on the way from a text that says nothing to the text.

On that way (Sundararajan et al. 2017, arXiv:1703.01365) the vectors of all tokens go in a straight line from that of a token that
says nothing to their own. Marks around the text stay as they are: what they say is in the baseline.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..data import OrderedFeatures, Selected
from ..inference import NetworkPredictor
from ..models.neural.classifier import PaddedModel, alike, padded
from .explanation import Division
from .parts import divided
from .quadrature import mean_gradients
from .quantity import Quantity, distinct, gradients_of, values_of
from .texts import LabelTexts, blocks

if TYPE_CHECKING:
    from jaxtyping import Float

_CHARACTERS = 1 << 16  # of texts explained together
_WITHIN = 1e-4  # of |value - baseline|, that shares may leave over
_ROUNDING = 1e-6  # of a value, in single precision
_MOST = 32  # intervals of a path halved at once: some 1,000 points in all

Numbers = NDArray[np.float64]
Lines = NDArray[np.int64]


def integrated_gradients(texts: LabelTexts) -> list[Division]:
    """Shares of the tokens' parts under an encoder, of any quantity; the baseline is the text with tokens that say nothing."""
    found: list[Division] = []
    for first, last in blocks(list(map(len, texts.texts)), _CHARACTERS):
        found += _block(texts.some(first, last))
    return found


def _block(texts: LabelTexts) -> list[Division]:
    predictor = texts.predictor
    assert isinstance(predictor, NetworkPredictor)
    features = predictor.features
    assert isinstance(features, OrderedFeatures)
    places, marks = [features.tokenizer.spans(text) for text in texts.texts], features.marks()
    room = features.context - marks.count
    read = [min(len(spans), room) if len(own) else 0 for spans, own in zip(places, texts.spans, strict=True)]
    moving = np.zeros((len(texts), len(marks.before) + max(read)), np.bool_)
    for row, count in zip(moving, read, strict=True):
        row[len(marks.before) : len(marks.before) + count] = True
    quantities, which = distinct(texts.quantities)
    paths, lines = Paths(predictor, predictor.prepared(texts.texts), moving, quantities, which), np.arange(len(texts))
    values, baselines = (paths.value(lines, np.full(len(texts), t)) for t in (1.0, 0.0))
    within = np.maximum(_WITHIN * abs(values - baselines), _ROUNDING * np.maximum(abs(values), abs(baselines)))
    way = moving.astype(np.float64)
    cuts = np.empty((len(texts), 0))
    amounts = mean_gradients(paths.value, paths.gradient, way, cuts, within, _ROUNDING, _MOST)[moving]
    begins, ends = np.cumsum([0, *map(len, texts.texts)]), np.cumsum([0, *read])
    absolute = np.concatenate([spans[:count] + begin for spans, count, begin in zip(places, read, begins, strict=False)])
    shares = divided(amounts, absolute, (ends[:-1], np.diff(ends)), texts.texts, texts.spans)
    notes = map(_notes, values, baselines, shares)
    return list(map(Division, values.tolist(), baselines.tolist(), shares, notes))


def _notes(value: float, baseline: float, shares: Numbers) -> tuple[str, ...]:
    found = ["the baseline is the text with every token replaced by one that says nothing"]
    if (left := abs(value - baseline - shares.sum())) > _WITHIN * abs(value - baseline):
        found.append(f"the shares leave over {left:.2g}, more than {_WITHIN:g} of what they divide: the path is too rough there")
    return tuple(found)


@dataclass(slots=True)
class Paths:
    """The ways of N texts; ``moving`` says which of their tokens move, ``which`` the number of each text's quantity."""

    predictor: NetworkPredictor
    selected: Selected
    moving: NDArray[np.bool_]
    quantities: Sequence[Quantity]
    which: Lines

    def value(self, line: Lines, t: Numbers) -> Numbers:
        """The quantity of these texts [M], each at its t: 0 says nothing, 1 is the text."""
        found = np.empty(len(line))
        with torch.no_grad():
            for rows, outputs, _, _ in self._outputs(line, t):
                found[rows] = values_of(self.quantities, self.which[line[rows]], self._scores(outputs))
        return found

    def gradient(self, line: Lines, t: Numbers) -> Float[Numbers, "M tokens"]:
        """How fast the quantity grows there with t, by each token's movement."""
        found = np.zeros((len(line), self.moving.shape[1]))
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):  # cuDNN has no backward pass of LSTMs in use
            for rows, outputs, at, way in self._outputs(line, t):
                by_scores = gradients_of(self.quantities, self.which[line[rows]], self._scores(outputs))
                by_outputs = self.predictor.task.by_outputs(by_scores) / self.predictor.temperature
                (by_vectors,) = torch.autograd.grad(outputs, at, torch.from_numpy(by_outputs).to(outputs))
                slopes = (by_vectors * way).sum(-1)[:, : found.shape[1]]
                found[rows, : slopes.shape[1]] = slopes.cpu().numpy()
        return found

    def _outputs(self, line: Lines, t: Numbers) -> Iterator[tuple[Lines, Tensor, Tensor, Tensor]]:
        """Rows of like length, what the network answers to them, the vectors it is given, and how those move as t grows."""
        network, features, nothing = self.predictor.network.eval(), self.predictor.features, torch.empty(0)
        assert isinstance(network, PaddedModel)
        assert isinstance(features, OrderedFeatures)
        table, device = network.table, network.head.weight.device
        silent = table(torch.tensor(features.silent(), device=device)).detach()
        batch = self.selected.batch(line, nothing, nothing)
        for rows in alike(batch):
            ids, lengths = padded(batch, rows, device)
            vectors = table(ids).detach()
            moving = torch.zeros(ids.shape, dtype=torch.bool)
            known = torch.from_numpy(self.moving[line[rows], : ids.shape[1]])
            moving[:, : known.shape[1]] = known
            way = (vectors - silent).masked_fill(~moving.to(device)[..., None], 0)
            left = torch.from_numpy(1 - t[rows]).to(way)
            at = (vectors - left[:, None, None] * way).requires_grad_(torch.is_grad_enabled())
            with _replaced(table, at):
                outputs = network.outputs(ids, lengths)
            yield rows, outputs, at, way

    def _scores(self, outputs: Tensor) -> NDArray[Any]:
        readable = self.predictor.task.readable(outputs.detach().cpu().numpy())
        return readable.astype(np.float64) / self.predictor.temperature


@contextmanager
def _replaced(table: nn.Module, vectors: Tensor) -> Iterator[None]:
    """Whatever tokens the table is asked for, it answers with these vectors."""
    hook = table.register_forward_hook(lambda *_: vectors)
    try:
        yield
    finally:
        hook.remove()
