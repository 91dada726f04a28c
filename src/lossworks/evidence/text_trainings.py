"""Trainings of language models on the texts of a comparison: by gradients to the end, or in one call."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..data import TRAIN, VALID, Ragged, TextLanguages
from ..data.layouts import Positions
from ..engine import Callbacks, Loop, TrainState
from ..models import LanguageModel, LanguageSpec
from ..models.neural import NeuralSpec
from ..tokens import Tokenizer
from ..training import Settings
from ..training.config import TrainConfig
from ..training.language_metrics import logp_of
from ..training.language_training import config_of
from ..training.planning import by_texts
from ..training.sequences import new_network, token_loop
from ..training.token_parts import Encoded, repeated
from ..training.tokens import HeldOut, TokenObjective
from .trainings import Looped, Training

_EVALS, _EVAL_TOKENS = 8, 10_000  # scores on the way, each of so many validation tokens, the same for all; the last is of all


@dataclass(frozen=True, slots=True)
class Reading:
    """The parts as a tokenizer reads them, and the test part's texts or segments, which are the rows of metrics.

    ends: whether texts have an end to be predicted.
    """

    tokenizer: Tokenizer
    parts: dict[int, Encoded]
    units: metrics.SegmentCounts
    ends: bool

    @property
    def unknown(self) -> float:
        """The share of the test part's tokens that the tokenizer does not know."""
        return float(self.units.unknown.sum() / self.units.tokens.sum())

    def unigram(self, texts: Ragged) -> NDArray[np.float64]:
        """The log-probability of each token of texts, whatever stands before it: as frequent as in the training texts."""
        vocabulary = self.tokenizer.vocabulary
        counts = Positions.of(self.parts[TRAIN].texts, vocabulary, self.ends).counts(vocabulary.size)
        positions = Positions.of(texts, vocabulary, self.ends)
        text = np.repeat(np.arange(len(texts)), np.diff(positions.bounds))
        return metrics.unigram(counts, vocabulary.start)[positions.tokens(np.arange(len(positions)), text)]


class _OfTokens(Training):
    """What trainings of language models have in common: what they answer."""

    reading: Reading
    judged: Sequence[int]

    @property
    @abstractmethod
    def model(self) -> LanguageModel:
        """The model as it stands."""

    def answers(self) -> list[NDArray[Any]]:
        return [logp_of(self.model, self.reading.parts[part].texts) for part in self.judged]


class ByGradients(_OfTokens, Looped):
    """A loop over tokens."""

    def __init__(self, loop: Loop, reading: Reading, judged: Sequence[int]) -> None:
        self.loop, self.reading, self.judged = loop, reading, judged
        assert isinstance(loop.objective, TokenObjective)
        self.network = loop.objective.network
        self.steps = loop.clock.steps
        self.scores = math.ceil(self.steps / (loop.eval_every or self.steps))
        self.size = round(self.steps / loop.clock.per_epoch * float(loop.objective.layout.lengths.sum()))

    @property
    def model(self) -> LanguageModel:
        return self.network.model()


class InOneCall(_OfTokens):
    """A family that learns by a method of its own, in one step."""

    steps, scores = 1, 0

    def __init__(
        self, learn: Callable[[], LanguageModel], size: int, callbacks: Callbacks, reading: Reading, judged: Sequence[int]
    ) -> None:
        self.learn, self.size, self.callbacks, self.reading, self.judged = learn, size, callbacks, reading, judged
        self._model: LanguageModel | None = None

    def run(self) -> TrainState:
        began = self.callbacks.clock()
        self._model = self.learn()
        if self.callbacks.stepped is not None:
            self.callbacks.stepped()
        return TrainState(step=1, seconds=self.callbacks.clock() - began)

    def stop_after(self, step: int) -> None:
        """It has one step."""

    @property
    def model(self) -> LanguageModel:
        assert self._model is not None
        return self._model


def by_gradients(
    settings: Settings,
    reading: Reading,
    languages: TextLanguages | None,
    callbacks: Callbacks,
    judged: Sequence[int],
    seed: int,
) -> ByGradients:
    """The training of a network, which is to answer for the ``judged`` parts; its scores on the way are of texts by ``seed``."""
    (spec, config), train, valid = _config(settings, reading), reading.parts[TRAIN].texts, reading.parts[VALID].texts
    how: dict[str, Any] = {"ends": reading.ends, "seed": settings.seed}
    network = new_network(spec, train, reading.tokenizer.vocabulary, device=settings.device, dtype=settings.dtype, **how)
    vocabulary = network.model().vocabulary  # a model that was made elsewhere has its own special tokens
    held_out = HeldOut.of(Positions.of(valid, vocabulary, reading.ends), config, seed) if len(valid.ids) else None
    sharded = callbacks.with_shards(settings.shards)
    loop = token_loop(network, train, vocabulary, config, held_out=held_out, languages=languages, callbacks=sharded, **how)
    loop.keeps_best = False
    return ByGradients(loop, reading, judged)


def in_one_call(
    settings: Settings,
    reading: Reading,
    languages: TextLanguages | None,
    callbacks: Callbacks,
    judged: Sequence[int],
    scratch: Path,
) -> InOneCall:
    """The same of a family that learns by a method of its own; ``scratch``: a folder for temporary files."""
    spec, vocabulary = settings.spec, reading.tokenizer.vocabulary
    assert isinstance(spec, LanguageSpec)
    train = repeated(reading.parts[TRAIN].texts, None if languages is None else languages.times(settings.seed), scratch)
    valid = texts if len((texts := reading.parts[VALID].texts).ids) else None
    how: dict[str, Any] = {"ends": reading.ends, "valid": valid, "seed": settings.seed, "memory": settings.memory}
    learn = partial(spec.fit, train, vocabulary, scratch=scratch, **how)
    return InOneCall(learn, len(Positions.of(train, vocabulary, reading.ends)), callbacks, reading, judged)


def _config(settings: Settings, reading: Reading) -> tuple[LanguageSpec, TrainConfig]:
    """The family with every number chosen, and how it is trained: to the end, with few looks on the way."""
    spec = settings.spec
    assert isinstance(spec, LanguageSpec)
    if isinstance(spec, NeuralSpec):
        spec, config = by_texts(reading.parts[TRAIN].texts, reading.tokenizer.vocabulary, settings, ends=reading.ends)
    else:
        config = config_of(settings)
    epochs = settings.epochs or settings.steps or 1  # an epoch has a step or more
    return spec, replace(config, epochs=epochs, evals=_EVALS, eval_tokens=_EVAL_TOKENS, patience=_EVALS + 1)
