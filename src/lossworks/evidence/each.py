"""Arms that are one model for each language, ``each:linear``: trained on its rows alone, and asked for its rows alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

from ..tasks import LabelTask
from ..training import Settings
from ..training.choices import for_family
from ..training.resolving import for_examples

EACH = "each:"
_BY_ROWS = ("batch_size", "micro_batch", "penalty")  # what the number of rows decides where nothing is said


@dataclass(frozen=True, slots=True, kw_only=True)
class EachSettings(Settings):
    """What all trainings of such an arm have in common; with a ``language``, the settings of that one's."""

    language: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Of an arm whose trainings have these settings."""
        return cls(**{field.name: getattr(settings, field.name) for field in fields(settings)})

    def to_json(self) -> dict[str, Any]:
        plain = Settings.to_json(self)
        return {**plain, "model": f"{EACH}{plain['model']}"}


def is_each(model: Any) -> bool:
    """Whether the spec is that of one model for each language."""
    return isinstance(model, str) and model.startswith(EACH)


def family_of(model: str) -> str:
    """The spec of what is trained for each language, or the model itself."""
    return model.removeprefix(EACH)


def for_arm(shared: Mapping[str, Any], own: Mapping[str, Any]) -> Settings:
    """The settings of an arm, as ``for_family`` makes them."""
    if not is_each(own.get("model")):
        return for_family(shared, own)
    return EachSettings.of(for_family(shared, {**own, "model": family_of(own["model"])}))


def for_rows(settings: Settings, task: LabelTask, before: int, rows: int) -> Settings:
    """The settings of a language with so many training ``rows``: what the arm's number of them (``before``) decided is decided
    anew, what was said or tuned stays.
    """
    bare = replace(settings, batch_size=None, micro_batch=None, penalty=None)
    was, now = for_examples(bare, task, before), for_examples(bare, task, rows)
    return replace(settings, **{name: getattr(now, name) for name in _BY_ROWS if getattr(settings, name) == getattr(was, name)})
