"""Shares where a text is a sum of features: linear models, and bags of embeddings.

What a feature adds to a quantity is its value times its row of the table times a direction: how the quantity grows with the
sum of rows. Where that is the same everywhere, shares are exact; elsewhere it is the mean along the straight line from no
features to all of them (integrated gradients: Sundararajan et al. 2017, arXiv:1703.01365).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

from ..core.threads import share
from ..data import HashedFeatures, Selected
from ..data.row_gradient import row_sums
from ..inference import NetworkPredictor, Predictor
from ..models.bag import Bag
from ..models.linear_network import Linear
from ..tasks import LabelTask
from .collisions import sharing
from .explanation import Division
from .parts import divided
from .quadrature import mean_gradients
from .quantity import Quantity, distinct, gradients_of, values_of, weights_of
from .texts import LabelTexts, blocks

if TYPE_CHECKING:
    from jaxtyping import Float

_CHARACTERS = 1 << 18  # read at once; each takes some 150 bytes
_NUMBERS = 1 << 24  # of outputs, held at once

Numbers = NDArray[np.float64]
Layer = tuple[Numbers, Numbers]


@dataclass(slots=True)
class Additive:
    """A network of the sum of its features' rows of ``table`` [features, width], in float64 from there on.

    hidden, head: weights and bias of layers; a hidden one has ReLU after it, and a head of None adds ``bias`` alone.
    """

    task: LabelTask
    temperature: float
    features: HashedFeatures
    table: NDArray[np.float32]
    hidden: Layer | None
    head: Numbers | None
    bias: Numbers

    @classmethod
    def of(cls, predictor: Predictor) -> Additive | None:
        """The same model in this form; None where it has none."""
        if not isinstance(predictor, NetworkPredictor):
            return None
        network = predictor.network
        if not isinstance(network, Linear | Bag) or not isinstance(predictor.features, HashedFeatures):
            return None
        table = network.table.weight.detach().cpu().numpy()
        before = predictor.task, predictor.temperature, predictor.features, table
        if isinstance(network, Linear):
            return cls(*before, None, None, _wide(network.bias))
        hidden = None if network.hidden is None else (_wide(network.hidden.weight), _wide(network.hidden.bias))
        return cls(*before, hidden, _wide(network.head.weight), _wide(network.head.bias))

    def scores(self, sums: Float[Numbers, "M width"]) -> Float[Numbers, "M *labels"]:
        """Calibrated scores of sums of rows."""
        units = sums if self.hidden is None else np.maximum(sums @ self.hidden[0].T + self.hidden[1], 0)
        outputs = (units if self.head is None else units @ self.head.T) + self.bias
        return np.asarray(self.task.readable(outputs), np.float64) / self.temperature

    def by_sums(self, by_scores: Float[Numbers, "M *labels"], on: NDArray[Any]) -> Float[Numbers, "M width"]:
        """A gradient by scores as one by the sum of rows, where hidden units are ``on`` [M, units]: 0, 1, or part of the way."""
        by_outputs = self.task.by_outputs(by_scores) / self.temperature
        by_units = by_outputs if self.head is None else by_outputs @ self.head
        return by_units if self.hidden is None else (by_units * on) @ self.hidden[0]

    def switches(self, sums: Float[Numbers, "N width"]) -> tuple[Numbers, NDArray[np.bool_]]:
        """Where between no features (0) and all (1) hidden units switch, and whether on [N, units]; those that do not switch
        stand at 0 or 1.
        """
        if self.hidden is None:
            return np.empty((len(sums), 0)), np.empty((len(sums), 0), np.bool_)
        slope, begin = sums @ self.hidden[0].T, self.hidden[1]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            at = np.where(slope == 0, np.where(begin > 0, 0, 1), np.clip(-begin / slope, 0, 1))
        return at, slope >= 0


def shares_of_sums(texts: LabelTexts) -> list[Division]:
    """Shares under a network that ``Additive`` knows, of any quantity."""
    model, found = Additive.of(texts.predictor), list[Division]()
    assert model is not None
    each = 16 * len(model.bias) * (1 if model.hidden is None else 1 + len(model.hidden[1])) / _NUMBERS
    for first, last in blocks([max(len(text) / _CHARACTERS, each) for text in texts.texts], 1):
        some = texts.some(first, last)
        selected, places, rest = model.features.located(some.texts)
        quantities, which = distinct(some.quantities)
        sums = _sums(selected, model.table)
        directions, of = _directions(model, sums, quantities, which)
        amounts = np.zeros(len(places))
        arguments = (selected.ids, selected.values, selected.starts, selected.lengths, model.table, directions, of, amounts)
        share(_weigh, len(places) * directions.shape[1], *arguments)
        shares = divided(amounts, places, (selected.starts, selected.lengths), some.texts, some.spans)
        values, baselines = (values_of(quantities, which, model.scores(at)) for at in (sums, np.zeros_like(sums)))
        found += map(Division, values.tolist(), baselines.tolist(), shares, _notes(model.features, selected, rest))
    return found


def _directions(
    model: Additive, sums: Numbers, quantities: Sequence[Quantity], which: NDArray[np.int64]
) -> tuple[Numbers, NDArray[np.int64]]:
    """Directions, and for each text the number of its own."""
    at, rising = model.switches(sums)
    if (by_scores := weights_of(quantities)) is not None:
        if model.hidden is None:
            return model.by_sums(by_scores, rising), which
        return model.by_sums(by_scores[which], np.where(rising, 1 - at, at)), np.arange(len(sums))

    def value(line: NDArray[np.int64], t: Numbers) -> Numbers:
        return values_of(quantities, which[line], model.scores(t[:, None] * sums[line]))

    def gradient(line: NDArray[np.int64], t: Numbers) -> Numbers:
        by_scores = gradients_of(quantities, which[line], model.scores(t[:, None] * sums[line]))
        return model.by_sums(by_scores, rising[line] == (t[:, None] > at[line]))

    return mean_gradients(value, gradient, sums, at), np.arange(len(sums))


def _sums(selected: Selected, table: NDArray[np.float32]) -> Numbers:
    """The sum of each text's rows of the table times their values, in float64."""
    nothing = torch.empty(0)
    batch = selected.batch(np.arange(len(selected)), nothing, nothing)
    return np.asarray(row_sums(replace(batch, values=batch.values.astype(np.float64)), table))


def _notes(features: HashedFeatures, selected: Selected, rest: NDArray[np.uint32]) -> list[tuple[str, ...]]:
    """What to know of each text's shares."""
    general = (
        "features are scaled to the length of their text, so a deletion changes what the other parts weigh too, and takes away "
        "another amount than the share"
    )
    full = max(features.fill())
    found: list[tuple[str, ...]] = []
    for shared, known in zip(sharing(selected, rest).tolist(), selected.lengths.tolist(), strict=True):
        own = (
            f"of its {known:,} n-grams that the model knows, {shared:,} share a weight with another of this text; as full as the "
            f"table is, up to {100 * full:.2g} % of n-grams share theirs with another of the training texts"
        )
        found.append((general, own))
    return found


@njit(cache=True, nogil=True)
def _weigh(part, parts, ids, values, starts, lengths, table, directions, of, amounts):  # type: ignore[no-untyped-def]
    """What each feature adds. Rows of the table are weighed once, where a text has more features than it has rows."""
    texts, width = len(lengths), table.shape[1]
    for text in range(texts * part // parts, texts * (part + 1) // parts):
        direction, many = directions[of[text]], lengths[text] > len(table)
        weights = np.empty(len(table) if many else 0)
        for row in range(len(weights)):
            weights[row] = _product(table[row], direction, width)
        for place in range(starts[text], starts[text] + lengths[text]):
            weight = weights[ids[place]] if many else _product(table[ids[place]], direction, width)
            amounts[place] = values[place] * weight


@njit(inline="always")
def _product(row: Any, direction: Any, width: Any) -> Any:
    total = 0.0
    for column in range(width):
        total += row[column] * direction[column]
    return total


def _wide(weight: torch.Tensor) -> Numbers:
    return weight.detach().cpu().double().numpy()
