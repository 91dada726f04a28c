"""From tokens to a language model: as its family learns, or by gradients."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ..core.errors import RecordError
from ..data import Ragged
from ..engine import Callbacks, TrainState
from ..models import LanguageModel, LanguageSpec, build_language
from ..models.neural import NeuralSpec
from ..record import read_json, write_json
from ..tokens import Vocabulary
from .config import OPTIMIZER, TrainConfig
from .planning import Plan, plan
from .settings import BY_STEPS, OF_TOKENS, Settings
from .tokens import new_network, train_sequences

_PLAN = "plan.json"
_PLANNED = ("optimizer", "schedule", "loss", "steps", "batch_tokens", "patience", "clip")


@dataclass(slots=True)
class Trained:
    """The model, the spec that makes it again, the settings it was trained with, and how a training by gradients went."""

    model: LanguageModel
    spec: LanguageSpec
    settings: Settings
    state: TrainState | None = None


def train(
    texts: Ragged,
    vocabulary: Vocabulary,
    settings: Settings,
    callbacks: Callbacks,
    scratch: Path,
    *,
    valid: Ragged | None,
    ends: bool = True,
    seed: int,
    resume: bool = False,
) -> Trained:
    """The model that ``settings`` say, trained on ``texts``.

    Args:
        texts, vocabulary, ends: as of ``LanguageSpec.fit``.
        settings: resolved.
        callbacks: how to watch and stop it, and where checkpoints go.
        scratch: a folder for temporary files.
        valid: chooses when to stop, where there is any.
        seed: of whatever is random.
        resume: go on from the newest checkpoint; families that learn by a method of their own start again.

    Raises:
        DataError, Diverged, Interrupted, OutOfMemory: nothing can be learned, or training ended early.
    """
    spec = settings.spec
    assert isinstance(spec, LanguageSpec)
    if not settings.by_gradients:
        memory = None if settings.memory is None else int(settings.memory)
        watch = callbacks.watch
        model = spec.fit(texts, vocabulary, ends=ends, valid=valid, seed=seed, memory=memory, scratch=scratch, watch=watch)
        return Trained(model, spec, settings)
    threads = None
    if isinstance(spec, NeuralSpec):
        vocabulary = spec.output_vocab(vocabulary)
        planned = _planned(texts, vocabulary, settings, callbacks, ends=ends, resume=resume)
        spec, config, threads = _announced(planned, callbacks), planned.config, planned.threads
        settings = _as_planned(settings, planned)
        callbacks.watch("config", {"config": settings.to_json()})
    else:
        config = config_of(settings)
    network = new_network(spec, texts, vocabulary, ends=ends, seed=seed, device=settings.device, dtype=settings.dtype)
    state = train_sequences(
        network, texts, vocabulary, ends=ends, valid=valid, seed=seed, callbacks=callbacks, resume=resume, config=config,
        threads=threads,
    )  # fmt: skip
    return Trained(network.model(), spec, settings, state)


def config_of(settings: Settings) -> TrainConfig:
    """How a family is trained by gradients that has no plan of its own."""
    said = settings.said(*BY_STEPS, *OF_TOKENS)
    said.pop("lr", None)
    return TrainConfig(**{**said, "optimizer": settings.optimizer_or(OPTIMIZER)})


def _announced(planned: Plan, callbacks: Callbacks) -> LanguageSpec:
    for text in planned.said:
        callbacks.watch("plan", {"text": text})
    return build_language(planned.model)


def _as_planned(settings: Settings, planned: Plan) -> Settings:
    """The settings with what was planned."""
    config = planned.config
    values = {name: getattr(config, name) for name in _PLANNED}
    epochs = config.epochs if config.steps is None else None
    return replace(settings, **values, model=planned.model, dtype=planned.dtype, epochs=epochs)


def _planned(
    texts: Ragged, vocabulary: Vocabulary, settings: Settings, callbacks: Callbacks, *, ends: bool, resume: bool
) -> Plan:
    """The plan; of a run that is resumed its own, of several processes the first one's."""
    text, kept = "", None if callbacks.checkpoints is None else callbacks.checkpoints / _PLAN
    if callbacks.world.is_first:
        if resume and kept is not None and kept.exists():
            found = read_json(kept)
        else:
            found = plan(texts, vocabulary, settings, ends=ends).to_json()
            if kept is not None:
                kept.parent.mkdir(exist_ok=True)
                write_json(kept, found)
        text = json.dumps(found)
    text = callbacks.world.of_first(text, torch.device(settings.device))
    try:
        return Plan.from_json(json.loads(text))
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"{kept} is damaged ({error}). Remove it to start from the beginning.") from None
