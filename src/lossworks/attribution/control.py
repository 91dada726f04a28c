"""The same model, knowing nothing of what was learned: what explains it just as well explains nothing."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..core.seeds import derive, generator
from ..inference import CountedPredictor, GenerativePredictor, NetworkPredictor, Predictor, TextLanguage
from ..models.neural import NeuralModel
from ..tokens import Tokenizer
from ..tokens.base import Encoded

N = TypeVar("N", bound=nn.Module)


def shuffled(predictor: Predictor, seed: int = 0) -> Predictor:
    """A copy of a network whose parameters each have their numbers in another order, as have what was counted of classes; of
    language models, the same that read each token as another one: what was learned is then said of the wrong tokens.
    """

    def change(one: Predictor) -> Predictor:
        if isinstance(one, GenerativePredictor):
            return replace(one, tokenizer=_Misread(one.tokenizer, seed))
        if isinstance(one, CountedPredictor):
            return replace(one, model=one.model.shuffled(generator(seed, "shuffle")))
        assert isinstance(one, NetworkPredictor)
        return replace(one, learned=_shuffled(one.network, seed))

    return predictor.changed(change)


def shuffled_language(language: TextLanguage, seed: int = 0) -> TextLanguage:
    """The same of a language model: a network is shuffled, counts and Markov chains misread their tokens."""
    if not isinstance(language.model, NeuralModel):
        return replace(language, tokenizer=_Misread(language.tokenizer, seed))
    model = copy.copy(language.model)
    model.network = _shuffled(model.network, seed)
    return replace(language, model=model)


def _shuffled(network: N, seed: int) -> N:
    network = copy.deepcopy(network)
    for number, weight in enumerate(network.parameters()):
        draw = torch.Generator().manual_seed(derive(seed, "shuffle", number))
        order = torch.randperm(weight.numel(), generator=draw).to(weight.device)
        weight.data = weight.data.flatten()[order].view_as(weight)
    return network


class _Misread(Tokenizer):
    """Reads each token as another one, the same wherever it stands; the unknown one and the marks of the ends stay themselves."""

    def __init__(self, own: Tokenizer, seed: int) -> None:
        self.own, self.vocabulary, self.lossless = own, own.vocabulary, False
        marks = [mark for mark in (own.vocabulary.unknown, own.vocabulary.start, own.vocabulary.end) if mark is not None]
        tokens = np.setdiff1d(np.arange(own.vocabulary.size), marks)
        self.order = np.arange(own.vocabulary.size)
        self.order[tokens] = generator(seed, "shuffle").permutation(tokens)

    def encode(self, texts: Sequence[str]) -> Encoded:
        ids, offsets = self.own.encode(texts)
        return self.order[ids].astype(ids.dtype), offsets

    def decode(self, ids: Sequence[int] | NDArray[np.int64]) -> str:
        return self.own.decode(ids)

    def spans(self, text: str) -> NDArray[np.int64]:
        return self.own.spans(text)

    def spelling(self, token: int) -> str:
        return self.own.spelling(token)

    def save(self, path: Path) -> None:
        raise NotImplementedError
