"""The facts in a member's docstring: the formula, and the slots "Domain:", "Limit:" and "Gradient …:"."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

from ..core import specs
from ..core.registry import Entry

_SLOT = r"(?P<slot>Domain|Limits?|Gradient)(?P<more>\b[^.:]*):\s*"
# A sentence at the start of a line, or after two spaces, is a separate remark; a slot may start anywhere.
_BREAK = re.compile(
    rf"(?<=[.)])(?:\s*\n\s*(?=[A-Z])|[ ]{{2,}}(?=\S)|\s+(?={_SLOT.replace('?P<slot>', '?:').replace('?P<more>', '?:')}))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A hyperparameter: name, annotated type, default and current value."""

    name: str
    type: str
    default: Any
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts about a member. A slot missing from its docstring is empty; ``remarks`` are the sentences outside all slots."""

    name: str
    formula: str
    domain: str
    limit: str
    gradient: str
    remarks: str
    parameters: tuple[Parameter, ...]
    source: str


def facts(entry: Entry[Any], thing: Any) -> Facts:
    """The facts about a registered member; ``thing`` is an instance of it."""
    formula, _, body = (entry.thing.__doc__ or "").strip().partition("\n\n")
    slots = {"Domain": "", "Limit": "", "Gradient": ""}
    remarks = []
    for part in _BREAK.split(body.strip()):
        found = re.match(_SLOT, part)
        if found is None:
            remarks.append(_flat(part))
            continue
        name, more = found["slot"].removesuffix("s"), found["more"].strip()
        text = _flat(part[found.end() :])
        slots[name] = f"{slots[name]} {f'{more}: ' if more else ''}{text}".strip()
    parameters = tuple(
        Parameter(name=f.name, type=str(f.type), default=specs.plain(f.default), value=specs.plain(getattr(thing, f.name)))
        for f in dataclasses.fields(thing)
        if f.init
    )
    return Facts(
        name=entry.name,
        formula=_flat(formula),
        domain=slots["Domain"],
        limit=slots["Limit"],
        gradient=slots["Gradient"],
        remarks=" ".join(filter(None, remarks)),
        parameters=parameters,
        source=entry.source,
    )


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().replace("``", "`")
