"""The same model with its weights shuffled: what explains it just as well explains nothing of what was learned."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..core.seeds import derive, generator
from ..data import Ragged
from ..inference import NetworkPredictor, Predictor, TextLanguage
from ..models.neural import NeuralModel

N = TypeVar("N", bound=nn.Module)


def shuffled(predictor: Predictor, seed: int = 0) -> Predictor:
    """A copy whose parameters each have their numbers in another order."""
    if not isinstance(predictor, NetworkPredictor):
        raise NotImplementedError
    return replace(predictor, network=_shuffled(predictor.network, seed))


def shuffled_language(language: TextLanguage, seed: int = 0) -> TextLanguage:
    """A copy of a network whose parameters each have their numbers in another order; of what has no such parameters (counts, a
    Markov chain), the same that reads each token as another one: what was learned is then said of the wrong tokens.
    """
    if isinstance(language.model, NeuralModel):
        model = copy.copy(language.model)
        model.network = _shuffled(model.network, seed)
        return replace(language, model=model)
    vocabulary = language.model.vocabulary
    tokens = np.setdiff1d(np.arange(vocabulary.size), [vocabulary.start, vocabulary.end])
    other = np.arange(vocabulary.size)
    other[tokens] = generator(seed, "shuffle").permutation(tokens)
    return _Misread(**{field.name: getattr(language, field.name) for field in fields(language)}, other=other)


@dataclass(slots=True)
class _Misread(TextLanguage):
    """``other``: the token that each is read as [V]."""

    other: NDArray[np.int64]

    def encode(self, texts: Sequence[str]) -> Ragged:
        encoded = TextLanguage.encode(self, texts)
        return replace(encoded, ids=self.other[encoded.ids].astype(encoded.ids.dtype))


def _shuffled(network: N, seed: int) -> N:
    network = copy.deepcopy(network)
    for number, weight in enumerate(network.parameters()):
        draw = torch.Generator().manual_seed(derive(seed, "shuffle", number))
        order = torch.randperm(weight.numel(), generator=draw).to(weight.device)
        weight.data = weight.data.flatten()[order].view_as(weight)
    return network
