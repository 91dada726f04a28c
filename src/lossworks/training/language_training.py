"""From tokens to a language model: as its family learns, or by gradients."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ..core.errors import RecordError
from ..core.machine import fast_dtype
from ..data import TRAIN, Ragged, TextLanguages
from ..engine import Callbacks, TrainState
from ..models import LanguageModel, LanguageSpec, build_language
from ..models.neural import NeuralSpec
from ..record import read_json, write_json
from ..tasks import LanguageModeling
from ..tokens import Vocabulary
from .applicable import BY_STEPS, OF_TOKENS
from .config import OPTIMIZER, TrainConfig
from .division import Division
from .planning import Plan, few_tokens, is_timed, plan, time_of
from .resolving import by_spaces, check_stopping
from .sequences import new_network, train_sequences
from .settings import Settings
from .sizing import tokens_for
from .start import Start
from .token_parts import repeated

_PLAN = "plan.json"
_PLANNED = ("optimizer", "schedule", "loss", "steps", "batch_tokens", "patience", "clip")


@dataclass(slots=True)
class Trained:
    """The model, the spec that makes it again, the settings it was trained with, how a training by gradients went, and the share
    of the test part that is to be scored.
    """

    model: LanguageModel
    spec: LanguageSpec
    settings: Settings
    state: TrainState | None = None
    tested: float = 1.0


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
    before: Plan | None = None,
    test_tokens: int = 0,
    languages: TextLanguages | None = None,
    teacher: LanguageModel | None = None,
    start: Start | None = None,
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
        before: the plan that was made when the fit began, of one that is resumed. test_tokens: as of ``plan``.
        languages: of the texts, where a balance or a risk goes by them.
        teacher: as of ``train_sequences``. start: what to go on from, of the same tokens.

    Raises:
        DataError, Diverged, Interrupted, OutOfMemory: nothing can be learned, or training ended early.
    """
    spec = settings.spec
    assert isinstance(spec, LanguageSpec)
    if not settings.by_gradients:
        memory = None if settings.memory is None else int(settings.memory)
        watch, times = callbacks.watch, None if languages is None else languages.times(seed)
        texts = repeated(texts, times, scratch)
        model = spec.fit(texts, vocabulary, ends=ends, valid=valid, seed=seed, memory=memory, scratch=scratch, watch=watch)
        return Trained(model, spec, settings)
    check_stopping(settings, LanguageModeling.kind, judged=valid is not None)
    threads, tested = None, 1.0
    if isinstance(spec, NeuralSpec):
        vocabulary = spec.output_vocab(vocabulary)
        planned = before or _planned(texts, vocabulary, settings, callbacks, ends=ends, test_tokens=test_tokens)
        spec, config, threads, tested = _announced(planned, callbacks), planned.config, planned.threads, planned.tested
        settings = _as_planned(settings, planned)
        callbacks.watch("config", {"config": settings.to_json()})
        note = few_tokens(spec, vocabulary, len(texts.ids))
        if note and start is None and teacher is None and not resume:  # these know more than the texts tell, or it was said
            callbacks.watch("note", {"text": note})
    else:
        config = config_of(settings)
    network = new_network(spec, texts, vocabulary, ends=ends, seed=seed, device=settings.device, dtype=settings.dtype)
    suited = None if start is None else start.fill(network)
    begin = None if start is None or suited is None else partial(start.take_up, suited=suited)
    state = train_sequences(
        network, texts, vocabulary, ends=ends, valid=valid, seed=seed, callbacks=callbacks, resume=resume, config=config,
        threads=threads, languages=languages, teacher=teacher, sharding=settings.sharding,
        begin=begin,
    )  # fmt: skip
    return Trained(network.model(), spec, settings, state, tested)


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


def recalled(settings: Settings, callbacks: Callbacks) -> Plan | None:
    """The plan of a run that is resumed, the first process's; None where none was made yet."""
    kept = _place(callbacks)
    found = read_json(kept) if callbacks.world.is_first and kept is not None and kept.exists() else None
    found = _of_first(found, settings, callbacks)
    try:
        return None if found is None else Plan.from_json(found)
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"{kept} is damaged ({error}). Remove it to start from the beginning.") from None


def tokens_chosen(settings: Settings, division: Division, callbacks: Callbacks, before: Plan | None) -> tuple[Settings, str]:
    """The settings with a tokenizer that suits the texts, or that a network has time to learn, and why; else as they are."""
    if before is not None:
        return replace(settings, tokenizer=before.tokenizer), ""
    if not is_timed(settings):
        words = str(settings.tokenizer).startswith("words")
        return by_spaces(settings, next(division.blocks(TRAIN), [])) if words else (settings, "")
    found = None
    if callbacks.world.is_first:
        size = sum(len(text) for texts in division.blocks(TRAIN) for text in texts)
        left = time_of(settings) - (0.0 if callbacks.began is None else callbacks.clock() - callbacks.began)
        found = tokens_for(str(settings.model), size, left, settings.device, settings.dtype or fast_dtype(settings.device))
    tokenizer, why = _of_first(found, settings, callbacks)
    return replace(settings, tokenizer=tokenizer), why


def _planned(
    texts: Ragged, vocabulary: Vocabulary, settings: Settings, callbacks: Callbacks, *, ends: bool, test_tokens: int
) -> Plan:
    """The plan, kept beside the checkpoints; of several processes the first one's."""
    found, kept = None, _place(callbacks)
    if callbacks.world.is_first:
        how: dict[str, Any] = {"ends": ends, "began": callbacks.began, "test_tokens": test_tokens, "clock": callbacks.clock}
        found = plan(texts, vocabulary, settings, **how).to_json()
        if kept is not None:
            kept.parent.mkdir(exist_ok=True)
            write_json(kept, found)
    return Plan.from_json(_of_first(found, settings, callbacks))


def _place(callbacks: Callbacks) -> Path | None:
    return None if callbacks.checkpoints is None else callbacks.checkpoints / _PLAN


def _of_first(found: Any, settings: Settings, callbacks: Callbacks) -> Any:
    """What the first process found, in every process, as JSON has it."""
    return json.loads(callbacks.world.of_first(json.dumps(found), torch.device(settings.device)))
