"""Shares under a language model for each class: log p(text | class) is a sum over tokens, so their evidence adds up.

A token's evidence is log p(token | class, what stands before it). What stands after the last part, and the end of the text, are
a part of their own: the end too is more probable in one class than in another.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import Ragged
from ..inference import GenerativePredictor
from .explanation import Division
from .parts import divided
from .quadrature import mean_gradients
from .quantity import distinct, gradients_of, values_of, weights_of
from .texts import LabelTexts, blocks

_NUMBERS = 1 << 22  # of evidence, held at once
_NOTE = (
    "a token's share is what it says given what stands before it; a deletion also changes what stands before the tokens that "
    "follow, and takes away another amount than the share"
)


def shares_of_evidence(texts: LabelTexts) -> list[Division]:
    """Shares under a ``GenerativePredictor``: exact of a quantity that is linear in the scores; of any other by the mean of its
    gradient along the straight line from the scores of no text to those of the text.
    """
    predictor = texts.predictor
    assert isinstance(predictor, GenerativePredictor)
    each = len(predictor.models) / _NUMBERS
    found: list[Division] = []
    for first, last in blocks([len(text) * each for text in texts.texts], 1):
        found += _block(texts.some(first, last), predictor)
    return found


def _block(texts: LabelTexts, predictor: GenerativePredictor) -> list[Division]:
    encoded, nothing = predictor.prepared(texts.texts), _evidence(predictor, predictor.prepared([""]))
    evidence, ends = _evidence(predictor, encoded), predictor.models[0].ends
    places = [_places(predictor, text, ends) for text in texts.texts]
    told = _told(predictor, encoded, evidence, places)
    starts = predictor.models[0].bounds(encoded)
    if ends:
        evidence[starts[1:] - 1] -= nothing[-1]  # the baseline has what the end of an empty text says
    line = np.repeat(np.arange(len(texts)), np.diff(starts))
    quantities, which = distinct(texts.quantities)
    begin = (predictor.prior + nothing.sum(0)) / predictor.temperature
    way = np.stack([evidence[first:last].sum(0) for first, last in pairwise(starts.tolist())]) / predictor.temperature

    def value(line: NDArray[np.int64], t: NDArray[np.float64]) -> NDArray[np.float64]:
        return values_of(quantities, which[line], begin + t[:, None] * way[line])

    def gradient(line: NDArray[np.int64], t: NDArray[np.float64]) -> NDArray[np.float64]:
        return gradients_of(quantities, which[line], begin + t[:, None] * way[line])

    weights = weights_of(quantities)
    directions = mean_gradients(value, gradient, way, np.empty((len(texts), 0))) if weights is None else weights[which]
    amounts = (evidence * directions[line]).sum(1) / predictor.temperature
    begins = np.cumsum([0, *map(len, texts.texts)])
    absolute = np.concatenate(places) + begins[line][:, None]
    shares = divided(amounts, absolute, (starts[:-1], np.diff(starts)), texts.texts, texts.spans)
    values, baselines = (value(np.arange(len(texts)), np.full(len(texts), t)) for t in (1.0, 0.0))
    return list(map(Division, values.tolist(), baselines.tolist(), shares, [(_NOTE,)] * len(texts), told))


def _evidence(predictor: GenerativePredictor, encoded: Ragged) -> NDArray[np.float64]:
    """log p(what stands at each position | class, what stands before it) [positions, classes]."""
    return np.stack([model.logp(encoded) for model in predictor.models], 1)


def _places(predictor: GenerativePredictor, text: str, ends: bool) -> NDArray[np.int64]:
    """Where in a text each position's token stands; the end behind its last character."""
    spans = predictor.tokenizer.spans(text)
    return np.append(spans, [[len(text)] * 2], 0) if ends else spans


def _told(
    predictor: GenerativePredictor, encoded: Ragged, evidence: NDArray[np.float64], places: list[NDArray[np.int64]]
) -> list[tuple[dict[str, Any], ...]]:
    """Of each text, token by token: its spelling, its characters, and what it says for each label, less the mean of labels."""
    labels, spelling = predictor.task.original(predictor.task.labels), predictor.tokenizer.spelling
    away = iter((evidence - evidence.mean(1, keepdims=True)).tolist())
    tokens = iter(predictor.models[0].targets(encoded).tolist())
    return [
        tuple(
            {"token": spelling(next(tokens)), "characters": place, "evidence": dict(zip(labels, next(away), strict=True))}
            for place in places_.tolist()
        )
        for places_ in places
    ]
