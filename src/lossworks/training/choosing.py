"""Which settings a fit goes by: those of classifiers over features, or those of models of language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import models
from ..core import specs
from ..core.errors import UnknownName, UsageError
from .language_settings import LanguageSettings
from .settings import Settings

_LABELLED = ("classify", "multilabel", "regress")
_OF_FIT = ("out", "read", "resume", "valid", "test")


def choose(settings: Settings | LanguageSettings | None, choices: Mapping[str, Any]) -> Settings | LanguageSettings:
    """``settings`` with single ``choices`` over them; without any, those that the chosen task and model call for.

    Raises:
        UsageError: an unknown name, a value outside its domain, or a choice that is nothing to the model.
    """
    told = {} if settings is None else {"task": settings.task, "model": settings.model}
    choices = _encoding(choices, {**told, **choices})
    kind = _kind({**told, **choices})
    base = kind() if settings is None else settings
    if not isinstance(base, kind):
        raise UsageError(f"the settings are {type(base).__name__}, and the model and task call for {kind.__name__}. Give those.")
    for name in choices:
        if name not in kind.__dataclass_fields__:
            raise _unfit(name, kind, base, choices)
    return replace(base, **choices)


def toml(path: Path, over: Mapping[str, Any]) -> Settings | LanguageSettings:
    """The settings that a TOML file spells, of the kind that its task and model, or those in ``over``, call for.

    Raises:
        DataError: no such file, or not TOML.
        UsageError: an unknown key or a value that does not fit.
    """
    values = specs.read_toml(path)
    values = _encoding(values, {**values, **over})
    kind = _kind({**values, **over})
    return specs.configure(kind, values, f"configuration {path}")


def with_labels(settings: LanguageSettings) -> Settings:
    """The settings of the classifier, or regression, that a family has where texts turn out to have labels.

    Raises:
        UsageError: something is set that is nothing to it.
    """
    blank, chosen = LanguageSettings(), dict[str, Any]()
    for name in LanguageSettings.__dataclass_fields__:
        value = getattr(settings, name)
        if value is None:
            continue
        if name in Settings.__dataclass_fields__:
            chosen[name] = value
        elif value != getattr(blank, name):
            flag = name.replace("_", "-")
            raise UsageError(f"--{flag} is for models of language, and the texts have labels. Leave it out, or say --task lm.")
    return Settings(**{**chosen, "task": "auto", "model": models.for_labels(settings.model)})


def _encoding(choices: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """``choices`` with a family that reads from left to right replaced by its encoder, where the task is one of labels."""
    model = told.get("model")
    if model is None or told.get("task") not in _LABELLED or not models.is_language(model):
        return dict(choices)
    return {**choices, "model": models.for_labels(model)}


def _kind(choices: Mapping[str, Any]) -> type[Settings] | type[LanguageSettings]:
    model, task = choices.get("model"), choices.get("task")
    if task == "lm" or (model is not None and models.is_language(model)):
        return LanguageSettings
    return Settings


def _unfit(
    name: str, kind: type[Settings] | type[LanguageSettings], base: Settings | LanguageSettings, choices: Mapping[str, Any]
) -> UsageError:
    """The error for a choice that is not among the settings: of the other kind, or of none."""
    other = Settings if kind is LanguageSettings else LanguageSettings
    if name not in other.__dataclass_fields__:
        return UnknownName("argument of fit:", name, [*kind.__dataclass_fields__, *_OF_FIT])
    model, flag = choices.get("model", base.model), name.replace("_", "-")
    if name == "tokens" and hasattr(models.build(model), "tokens"):
        return UsageError(
            f"--tokens is for models of language. Say it in the model: --model {model.partition(':')[0]}:tokens=bpe."
        )
    whose = (
        "models of language (ngram, hmm)" if other is LanguageSettings else "classifiers over features (linear, bag, encoders)"
    )
    return UsageError(f"--{flag} is for {whose}; the model is {model}. Leave it out, or choose another --model.")
