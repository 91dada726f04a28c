"""Arms: the trainings that are compared, each the common settings with a few things of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from .. import optim
from ..core import specs
from ..core.errors import UnknownName, UsageError
from ..training import Settings

PARTS = (
    *("model", "teach", "loss", "optimizer", "penalty", "risk", "groups", "balance"),
    *("lr", "schedule", "batch_size", "clip", "ema", "class_weight"),
)
"""What arms may differ in, in the order in which they are named."""
LANGUAGE_PARTS = ("model", "tokenizer", "loss", "optimizer", "balance", "lr", "schedule", "clip", "ema")
"""The same of language models: a step has as many tokens in every arm."""
_OF_MODELS = ("optimizer", "penalty", "batch_size", "lr")  # what a model decides where nothing is said


@dataclass(frozen=True, slots=True)
class Arm:
    """``name`` says what tells it from the others; ``settings`` are resolved, all specs in their shortest spelling."""

    name: str
    settings: Settings

    def spelled(self) -> dict[str, Any]:
        """Everything that it may differ in."""
        plain = self.settings.to_json()
        return {part: plain.get(part) for part in parts_of(self.settings.task == "lm")}


def parts_of(of_language: bool) -> tuple[str, ...]:
    """What arms may differ in."""
    return LANGUAGE_PARTS if of_language else PARTS


def choices_of(
    of_language: bool, named: Mapping[str, Sequence[Any]], listed: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What each arm has of its own: those ``listed``, each with every combination of what is ``named``.

    Raises:
        UnknownName: an arm says something that arms cannot differ in.
    """
    parts = parts_of(of_language)
    for key in [*named, *(key for arm in listed for key in arm)]:
        if key not in parts:
            raise UnknownName("part of an arm:", key, parts)
    varied = [part for part in parts if named.get(part)]
    combined = [dict(zip(varied, chosen, strict=True)) for chosen in product(*(named[part] for part in varied))]
    found = [{**mixed, **arm} for arm in listed or [{}] for mixed in combined]
    return [{key: None if (key, value) == ("teach", "none") else value for key, value in own.items()} for own in found]


def read_toml(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The common settings and the ``[[arms]]`` that a TOML file lists.

    Raises:
        DataError: no such file, or not TOML.
        UsageError: arms that are no tables.
    """
    values = specs.read_toml(path)
    listed = values.pop("arms", [])
    if not isinstance(listed, list) or not all(isinstance(arm, dict) for arm in listed):
        raise UsageError(f"{path}: arms must be tables, [[arms]], each with what it has of its own.")
    return values, listed


def arms_of(settings: Sequence[Settings], tuned: set[str]) -> tuple[Arm, ...]:
    """The arms of ``settings`` with every choice made. The first is the baseline.

    Raises:
        UsageError: two arms are the same once spelled out, or but for the learning rate that is to be tuned.
    """
    names, seen = _names([_at_usual_rate(one) if "lr" in tuned else one for one in settings]), dict[str, tuple[str, Any]]()
    for name, one in zip(names, settings, strict=True):
        leveled = _at_usual_rate(one) if "lr" in tuned else one
        key = repr({part: value for part, value in leveled.to_json().items() if part in parts_of(one.task == "lm")})
        if key in seen:
            other, lr = seen[key]
            why = " but for the learning rate, which is tuned. Give --trials 0 to compare rates" if one.lr != lr else ""
            raise UsageError(f"the arms {other!r} and {name!r} are the same{why}. Leave one out.")
        seen[key] = name, one.lr
    return tuple(Arm(name, one) for name, one in zip(names, settings, strict=True))


def _at_usual_rate(settings: Settings) -> Settings:
    """At the optimizer's own learning rate: where rates are tuned, the one given tells no arms apart."""
    if settings.optimizer is None:  # it is counted
        return settings
    lr = type(optim.build(settings.optimizer)).__dataclass_fields__["lr"].default
    return settings.with_lr(lr) if isinstance(lr, float) else settings


def _names(settings: Sequence[Settings]) -> list[str]:
    """What tells each from the others, in few words."""
    plain = [one.to_json() for one in settings]
    parts = parts_of(settings[0].task == "lm")
    varied = [part for part in parts if len({repr(each.get(part)) for each in plain}) > 1]
    for leading, following in (("teach", ("loss", *_OF_MODELS)), ("model", _OF_MODELS)):
        if leading in varied:
            varied = [part for part in varied if part not in following or not _follows(part, leading, plain)]
    if "optimizer" in varied and "lr" in varied:
        varied.remove("lr")  # the optimizer's spec says it
    if not varied:
        varied = ["model", "loss", "optimizer"]
    bare = ("model", "loss", "optimizer")
    return [" · ".join(_said(part, each.get(part), part in bare) for part in varied if _is_told(part, each)) for each in plain]


def _follows(part: str, leading: str, plain: Sequence[dict[str, Any]]) -> bool:
    """Whether one part says what another one is, so that it need not be said."""
    pairs = {(repr(each.get(leading)), repr(each.get(part))) for each in plain}
    return len(pairs) == len({repr(each.get(leading)) for each in plain})


def _said(part: str, value: Any, bare: bool) -> str:
    return str(value) if bare else f"{part}={'none' if part == 'teach' and value is None else value}"


def _is_told(part: str, plain: dict[str, Any]) -> bool:
    """A counted family has no loss or optimizer, and nothing that goes with them, to be named by."""
    return part in ("model", "tokenizer", "balance") or plain.get("optimizer") is not None
