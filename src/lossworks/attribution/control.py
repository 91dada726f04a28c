"""The same model with what it learned in another order: what explains it just as well explains nothing of what was learned."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..core.seeds import derive, generator
from ..data import Ragged
from ..inference import GenerativePredictor, NetworkPredictor, Predictor


def shuffled(predictor: Predictor, seed: int = 0) -> Predictor:
    """A copy whose parameters each have their numbers in another order; of language models, whose tokens are read as others."""
    if isinstance(predictor, GenerativePredictor):
        return Mistaken.of(predictor, seed)
    if not isinstance(predictor, NetworkPredictor):
        raise NotImplementedError
    network = copy.deepcopy(predictor.network)
    for number, weight in enumerate(network.parameters()):
        draw = torch.Generator().manual_seed(derive(seed, "shuffle", number))
        order = torch.randperm(weight.numel(), generator=draw).to(weight.device)
        weight.data = weight.data.flatten()[order].view_as(weight)
    return replace(predictor, network=network)


@dataclass(slots=True)
class Mistaken(GenerativePredictor):
    """Reads each token as another one, the same wherever it stands and for every class: all counts and probabilities stay as
    they were learned, but they are no longer those of the tokens. Marks of the start, the end and the unknown stay themselves.
    """

    order: NDArray[np.int64] = field(kw_only=True)

    @classmethod
    def of(cls, predictor: GenerativePredictor, seed: int) -> Mistaken:
        """The same predictor, its tokens mistaken for one another at random."""
        vocabulary = predictor.tokenizer.vocabulary
        marks = {vocabulary.unknown, vocabulary.start, vocabulary.end}
        tokens = np.array([token for token in range(vocabulary.size) if token not in marks])
        order = np.arange(vocabulary.size)
        order[tokens] = generator(seed, "shuffle").permutation(tokens)
        return cls(**{each.name: getattr(predictor, each.name) for each in fields(predictor)}, order=order)

    def prepared(self, texts: Sequence[str]) -> Ragged:
        read = GenerativePredictor.prepared(self, texts)
        return Ragged(self.order[read.ids].astype(read.ids.dtype), read.offsets)
