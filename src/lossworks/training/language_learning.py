"""From token numbers to a model of language: as its family learns, or by gradients."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from .. import optim
from ..core.errors import RecordError
from ..data import Ragged
from ..engine.callbacks import Callbacks, TrainState
from ..engine.config import OPTIMIZER
from ..models import LanguageModel, LanguageSpec, build_language
from ..models.neural import NeuralSpec
from ..record import read_json, write_json
from ..tokens import Vocabulary
from .language_settings import LanguageSettings
from .planning import Plan, plan
from .sequences import train_sequences
from .step_timing import torch_threads

_PLAN = "plan.json"
_TOLD = ("loss", "optimizer", "schedule", "epochs", "steps", "batch_tokens", "patience", "clip")


@dataclass(slots=True)
class Learnt:
    """The model, the spec that makes it again, the settings it was learnt with, and how a training by gradients went."""

    model: LanguageModel
    spec: LanguageSpec
    settings: LanguageSettings
    progress: TrainState | None = None


def learn(
    texts: Ragged,
    vocabulary: Vocabulary,
    settings: LanguageSettings,
    control: Callbacks,
    scratch: Path,
    *,
    valid: Ragged | None,
    ends: bool = True,
    seed: int,
    resume: bool = False,
) -> Learnt:
    """The model that ``settings`` say, learnt from ``texts``; ``valid``, where there is any, chooses when to stop.

    Raises:
        DataError, Diverged, Interrupted, OutOfMemory: nothing can be learnt, or training ended early.
    """
    spec = build_language(settings.model)
    if isinstance(spec, NeuralSpec):
        return _network(spec, texts, vocabulary, settings, control, valid=valid, ends=ends, seed=seed, resume=resume)
    chosen = settings.of_gradients()
    if not chosen:
        memory = None if settings.memory is None else int(settings.memory)
        watch = control.watch
        model = spec.fit(texts, vocabulary, ends=ends, valid=valid, seed=seed, memory=memory, scratch=scratch, watch=watch)
        return Learnt(model, spec, settings)
    network = spec.sequence_network(texts, vocabulary, ends=ends, seed=seed)
    optimizer: Any = optim.build(chosen.pop("optimizer", OPTIMIZER))
    if "lr" in chosen:
        optimizer = replace(optimizer, lr=float(chosen.pop("lr")))
    how: dict[str, Any] = {"ends": ends, "valid": valid, "seed": seed, "control": control, "resume": resume}
    progress = train_sequences(network, texts, vocabulary, optimizer=optimizer, **how, **chosen)
    return Learnt(network.model(), spec, settings, progress)


def _network(
    family: NeuralSpec,
    texts: Ragged,
    vocabulary: Vocabulary,
    settings: LanguageSettings,
    control: Callbacks,
    *,
    valid: Ragged | None,
    ends: bool,
    seed: int,
    resume: bool,
) -> Learnt:
    """A neural model, by a plan that is made before the first step and kept beside the checkpoints."""
    vocabulary = family.output_vocab(vocabulary)
    planned = _planned(texts, vocabulary, settings, control, ends=ends, resume=resume)
    for said in planned.said:
        control.watch("plan", {"text": said})
    recipe, spec = planned.recipe, build_language(planned.model)
    config = {
        name: getattr(recipe, name) for name in ("optimizer", "schedule", "loss", "steps", "batch_tokens", "patience", "clip")
    }
    epochs = recipe.epochs if recipe.steps is None else None
    settings = replace(settings, **config, model=planned.model, dtype=planned.dtype, epochs=epochs)
    control.watch("config", {"config": settings.to_json()})
    network = spec.sequence_network(texts, vocabulary, ends=ends, seed=seed).to(settings.device)
    network.dtype = getattr(torch, planned.dtype)
    how: dict[str, Any] = {"ends": ends, "valid": valid, "seed": seed, "control": control, "resume": resume}
    with torch_threads(planned.threads):
        progress = train_sequences(network, texts, vocabulary, recipe=recipe, **how)
    return Learnt(network.model(), spec, settings, progress)


def _planned(
    texts: Ragged,
    vocabulary: Vocabulary,
    settings: LanguageSettings,
    control: Callbacks,
    *,
    ends: bool,
    resume: bool,
) -> Plan:
    """The plan; of a run that is resumed its own, of several processes the first one's."""
    text, kept = "", None if control.checkpoints is None else control.checkpoints / _PLAN
    if control.world.is_first:
        if resume and kept is not None and kept.exists():
            text = json.dumps(read_json(kept))
        else:
            text = json.dumps(plan(texts, vocabulary, settings, ends=ends).to_json())
            if kept is not None:
                kept.parent.mkdir(exist_ok=True)
                write_json(kept, json.loads(text))
    text = control.world.of_first(text, torch.device(settings.device))
    try:
        return Plan.read(json.loads(text))
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"{kept} is damaged ({error}). Remove it to start from the beginning.") from None
