"""What settings may say: each value by itself, specs by what they build, and all of them by the family that is trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from .. import balances, losses, optim, penalties, risks, schedules, tokens
from ..core import units, values
from ..core.devices import check_device
from ..core.errors import UnknownName, UsageError
from ..data.options import UNITS
from ..metrics import STOPPING
from ..models import CountedSpec, LanguageSpec, Spec
from ..tasks import TASKS, parse_class_weight
from .applicable import ALWAYS, BY_STEPS, OF_TOKENS, SHARDS, TEACH, applicable, misplaced

if TYPE_CHECKING:
    from .settings import Settings

AUTO = "auto"
BY_LABEL, BY_LANGUAGE, BY_BOTH = "label", "language", "language,label"
"""What the groups of a risk are."""
_ALLOWED: dict[str, Iterable[str]] = {
    "task": TASKS,
    "document_unit": UNITS,
    "dtype": ("float32", "bfloat16"),
    "sharding": ("none", "fsdp"),
    "groups": (BY_LABEL, BY_LANGUAGE, BY_BOTH),
}
_WORDS = ("model", "tokenizer", "loss", "penalty", "risk", "balance", "schedule", "stop_by", "teach", "device")


def check_allowed(settings: Settings) -> None:
    """Raise UsageError where a setting is none that may be, does not go with the others, or means nothing to the family."""
    _check_values(settings)
    spec = settings.spec
    _check_specs(settings, spec)
    _check_family(settings, spec)


def _check_values(settings: Settings) -> None:
    """Each by itself."""
    for name in (*_ALLOWED, *_WORDS):
        values.text(name, getattr(settings, name))
    for name, allowed in _ALLOWED.items():
        if (value := getattr(settings, name)) is not None and value not in allowed:
            raise UnknownName(name.replace("_", " "), value, allowed)
    for name in ("epochs", "steps", "batch_tokens", "patience", SHARDS):
        values.whole(name, getattr(settings, name), least=1)
    if settings.shards is not None and settings.sharding == "fsdp":
        raise UsageError(
            "with --sharding fsdp each process makes one shard of a step's rows, and sums depend on how many there are. "
            "Leave --shards out, or --sharding."
        )
    for name in ("batch_size", "micro_batch"):
        values.whole(name, getattr(settings, name), least=1, words=(AUTO,))
    values.whole("seed", settings.seed)
    values.number("lr", settings.lr, words=(AUTO,))
    for name in ("minutes", "clip"):
        values.number(name, getattr(settings, name))
    values.number("ema", settings.ema, below=1.0)
    for name in ("valid", "test"):
        if isinstance(share := getattr(settings, name), bool) or not isinstance(share, int | float) or not 0 <= share < 1:
            raise UsageError(f"{name} is {share!r}; wanted a share, 0 or more and below 1, or a file.")
    values.flag("pack", settings.pack)
    if settings.memory is not None:
        units.size(settings.memory)
    if settings.class_weight not in (None, "balanced"):
        parse_class_weight(settings.class_weight)
    if not isinstance(settings.glosses, Mapping):
        values.text("glosses", None if isinstance(settings.glosses, Path) else settings.glosses)
    elif strange := [pair for pair in settings.glosses.items() if not all(isinstance(part, str) for part in pair)]:
        raise UsageError(f"glosses has {strange[0]!r}; wanted a description in words for the name of an entity.")
    check_device(settings.device)


def _check_specs(settings: Settings, spec: Spec) -> None:
    """Specs must spell something, and what is around the optimizer must go with it."""
    if settings.loss:
        losses.build(settings.loss)
    if settings.stop_by is not None and settings.stop_by not in (known := dict.fromkeys(chain.from_iterable(STOPPING.values()))):
        raise UnknownName("metric to stop by", settings.stop_by, known)
    if settings.risk:
        risks.build(settings.risk)
    if settings.balance:
        balances.build(settings.balance)
    if settings.schedule:  # a length that nobody can tell is found out now
        schedules.build(settings.schedule).factor(0, schedules.Clock(1, 1.0, 1.0 if isinstance(spec, LanguageSpec) else None))
    penalty = penalties.build(settings.penalty) if settings.penalty else None
    optimizer = settings.optimizer or getattr(spec, "optimizer", None)
    if optimizer is not None:
        optim.check_together(optim.build(optimizer), penalty, settings.clip, settings.ema)
    if settings.tokenizer is not None and isinstance(spec, LanguageSpec):
        tokens.named(settings.tokenizer)


def _check_family(settings: Settings, spec: Spec) -> None:
    """Raise UsageError where something is set that does not apply to the family."""
    from .settings import Settings  # which asks for this

    if isinstance(spec, LanguageSpec) and spec.made_by:
        raise UsageError(f"--model {settings.model}: {spec.made_by}")
    applies = applicable(spec)
    for field in fields(Settings):  # kinds of it may have more
        if field.name not in (*ALWAYS, *applies) and getattr(settings, field.name) is not None:
            raise misplaced(field.name, settings.named, spec)
    counted = isinstance(spec, CountedSpec) or (isinstance(spec, LanguageSpec) and not spec.by_gradients)
    if counted and settings.device != "cpu":
        raise misplaced("device", settings.named, spec)
    if not settings.by_gradients and (said := settings.said(*BY_STEPS, *OF_TOKENS, TEACH, SHARDS)):
        flag = f"--{next(iter(said)).replace('_', '-')}"
        raise UsageError(f"{flag} is for training by gradients: name --optimizer or --loss too, or leave it out.")
