"""What the arms of a comparison have in common, classifiers or models of language; from keys and values, or from settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .. import models
from ..core import specs
from ..core.errors import UnknownName, UsageError
from ..data import ReadOptions
from ..evidence.language_arms import SHARED, lead
from ..training import LanguageSettings, Settings

EPOCHS, SCHEDULE = 10, "linear"
"""One length for all arms that are classifiers, and a rate that ends at nothing: the end is then worth evaluating."""
_OF_COMPARE = ("arms", "seeds", "trials", "tune", "out")


@dataclass(frozen=True, slots=True)
class InCommon:
    """``settings`` of all arms, and what is ``shared`` by those that it is anything to: the training by gradients of models of
    language, some of which may be counted.
    """

    settings: Settings | LanguageSettings
    shared: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, Any], arms: Sequence[Mapping[str, Any]], what: str = "settings") -> InCommon:
        """From keys and ``values``, for ``arms`` that may be of another model each.

        Raises:
            UsageError: an unknown key or a value that does not fit.
        """
        families = [str(arm["model"]) for arm in arms if arm.get("model")] or [str(values.get("model", Settings().model))]
        task = values.get("task", "auto")
        if task != "lm" and not (task == "auto" and any(map(models.is_language, families))):
            return cls(specs.configure(Settings, {"epochs": EPOCHS, "schedule": SCHEDULE, **values}, what))
        shared = {name: value for name, value in values.items() if name in SHARED and value is not None}
        rest = {name: value for name, value in values.items() if name not in SHARED}
        return cls(specs.configure(LanguageSettings, rest, what), shared)

    @classmethod
    def of_settings(cls, settings: Settings | LanguageSettings) -> InCommon:
        """From settings."""
        if isinstance(settings, Settings):
            return cls(settings)
        blank = LanguageSettings()
        shared = {name: getattr(settings, name) for name in SHARED if getattr(settings, name) != getattr(blank, name)}
        return cls(replace(settings, **{name: getattr(blank, name) for name in shared}), shared)

    def with_choices(self, single: Mapping[str, Any], arms: Sequence[Mapping[str, Any]]) -> InCommon:
        """With ``single`` choices over them, checked for a family of the ``arms``.

        Raises:
            UsageError: an unknown name, or a value that does not fit.
        """
        for key in single:
            if key not in self.settings.__dataclass_fields__:
                raise UnknownName("argument of compare:", key, [*self.settings.__dataclass_fields__, *_OF_COMPARE])
        if isinstance(self.settings, Settings):
            return InCommon(replace(self.settings, **single))
        shared = self.shared | {name: value for name, value in single.items() if name in SHARED}
        settings = replace(self.settings, **{name: value for name, value in single.items() if name not in SHARED})
        families = [str(arm["model"]) for arm in arms if arm.get("model")] or [settings.model]
        first = lead(families)
        tokens = settings.tokens or next((arm["tokens"] for arm in arms if arm.get("tokens")), None)
        return InCommon(replace(settings, model=first, tokens=tokens or models.build_language(first).tokens), shared)

    def reading(self, read: ReadOptions | None) -> ReadOptions | None:
        """How the data is read.

        Raises:
            UsageError: a weight is named for texts that have none.
        """
        if isinstance(self.settings, Settings):
            return read
        read = read or ReadOptions()
        if read.weight is not None:
            raise UsageError("--weight is for texts with labels; a model of language counts every text once. Leave it out.")
        label = None if self.settings.task == "lm" else read.label
        return replace(read, unlabelled=True, label=label, texts=self.settings.texts)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**self.settings.to_json(), **self.shared}


def candidates(named: Mapping[str, Sequence[Any]], listed: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The models and tokens that arms may have, the first named first."""
    every = named.get("model") or [None]
    tokens = (named.get("tokens") or [None])[0]
    return [{"model": model, "tokens": tokens, **arm} for arm in listed or [{}] for model in every]
