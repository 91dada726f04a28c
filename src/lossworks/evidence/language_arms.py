"""Arms that are models of language: what they have in common, and every choice of one of them made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .. import losses, models, optim, schedules
from ..core.errors import UsageError
from ..engine.config import OPTIMIZER
from ..models.neural import NeuralSpec
from ..models.transformer import TransformerSpec
from ..training import LanguageSettings
from ..training.planning import BATCH_TOKENS, CLIP, SCHEDULE

SHARED = (
    "loss", "optimizer", "lr", "schedule", "epochs", "steps", "minutes", "batch_tokens", "patience", "clip", "ema", "pack",
    "dtype", "device",
)  # fmt: skip
"""What is nothing to families that are counted, so that not all arms need have it."""


def lead(candidates: list[str]) -> str:
    """The family that settings in common are checked for: the first that is always trained by gradients, else the first."""
    return next((one for one in candidates if models.build_language(one).by_gradients), candidates[0])


def resolve(common: LanguageSettings, shared: Mapping[str, Any], chosen: Mapping[str, Any]) -> LanguageSettings:
    """An arm with every choice made; all specs in their shortest spelling.

    A family that learns by a method of its own takes nothing of what is ``shared`` by the others, but for a loss or an optimizer:
    those say that it is to be trained by gradients.

    Raises:
        UsageError: the choices do not go together, or the length of training is not said, or not the same for all.
    """
    given = str(chosen.get("model", common.model))
    spec = models.build_language(given)
    told = {**shared, **chosen}
    if not spec.by_gradients and not told.get("loss") and not told.get("optimizer"):
        told = dict(chosen)
    settings = replace(common, **told).resolved("lm")
    if not settings.by_gradients:
        return settings
    if isinstance(spec, TransformerSpec) and "context=" in given:
        _check_context(spec.context, settings.batch_tokens or BATCH_TOKENS)
    return _of_gradients(settings, spec)


def _of_gradients(settings: LanguageSettings, spec: models.LanguageSpec) -> LanguageSettings:
    neural = isinstance(spec, NeuralSpec)
    optimizer = optim.build(settings.optimizer or (spec.optimizer if isinstance(spec, NeuralSpec) else OPTIMIZER))
    if settings.lr is not None:
        optimizer = replace(optimizer, lr=settings.lr)
    _check_length(settings, optimizer)
    return replace(
        settings,
        loss=losses.render(losses.build(settings.loss or "cross_entropy")),
        optimizer=optim.render(optimizer),
        lr=optimizer.lr,
        schedule=schedules.render(schedules.build(settings.schedule or SCHEDULE)),
        clip=settings.clip or (CLIP if neural and not optimizer.needs_closure else None),
        batch_tokens=settings.batch_tokens or BATCH_TOKENS,
        dtype=settings.dtype or ("float32" if neural else None),
    )


def _check_context(context: int, tokens: int) -> None:
    """A step has as many tokens in every arm."""
    if context > tokens:
        raise UsageError(
            f"the context is {context:,} tokens, and a step has {tokens:,}, in every arm as many. "
            f"Say --batch-tokens {context} or more."
        )


def _check_length(settings: LanguageSettings, optimizer: optim.Optimizer) -> None:
    """Every arm is trained as long as the others: as many steps, or as many passes over the text."""
    if settings.minutes is not None:
        raise UsageError("minutes of a training hold more steps at one time than at another. Compare with --steps or --epochs.")
    if (settings.steps is None) == (settings.epochs is None):
        raise UsageError("say how long every arm is trained: --steps 500, or --epochs 2 for passes over the text; one of them.")
    if optimizer.full_batch and settings.steps is not None:
        raise UsageError(
            f"a step of {optim.render(optimizer)} is a pass over the whole text, so as many steps would be many more tokens than "
            "the other arms'. Say --epochs."
        )
