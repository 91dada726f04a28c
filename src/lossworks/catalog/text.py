"""A member as a terminal shows it: facts, curves and trajectories, in 78 columns and without colour."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from . import braille
from .braille import GUTTER, WIDTH
from .curve import Curve
from .facts import Facts
from .member import Member
from .trajectories import Surface


def text(members: tuple[Member, ...]) -> str:
    """All there is to show, one member after the other."""
    return "\n\n".join("\n".join(_member(member)) for member in members)


def value(key: Any) -> str:
    """A hyperparameter's value as it is spelled in specs."""
    if isinstance(key, tuple):
        return "/".join(map(value, key)) or "none"
    return str(key).lower() if isinstance(key, bool) else "none" if key is None else str(key)


def _member(member: Member) -> Iterator[str]:
    yield f"{member.kind} {member.spec}"
    for facts in member.terms:
        yield ""
        if len(member.terms) > 1:
            yield facts.name
        yield from textwrap.wrap(facts.formula, WIDTH, initial_indent="  ", subsequent_indent="  ")
        if facts.remarks:
            yield from textwrap.wrap(facts.remarks, WIDTH, initial_indent="  ", subsequent_indent="  ")
        yield ""
        yield from _slots(facts)
    yield from _slot("serves", ", ".join(member.serves))
    yield from _slot("needs", ", ".join(member.needs))
    for curve in member.curves:
        yield ""
        yield from textwrap.wrap(curve.caption, WIDTH)
        yield from _curve(curve)
    for surface in member.surfaces:
        yield ""
        yield from textwrap.wrap(surface.caption, WIDTH)
        yield from _surface(surface)


def _slots(facts: Facts) -> Iterator[str]:
    keys = (
        f"{key.name}={value(key.value)}" + ("" if key.value == key.default else f" (default {value(key.default)})")
        for key in facts.keys
    )
    for name in ("domain", "limit", "gradient"):
        yield from _slot(name, getattr(facts, name))
    yield from _slot("keys", ", ".join(keys))
    yield from _slot("source", facts.source)


def _slot(name: str, said: str) -> list[str]:
    return textwrap.wrap(said, WIDTH, initial_indent=f"  {name:10}", subsequent_indent=" " * 12) if said else []


def _curve(curve: Curve) -> Iterator[str]:
    """The panels side by side, the x axis, and which line is which."""
    wide = braille.width(len(curve.panels))
    yield ""
    yield from braille.side_by_side([braille.curve_panel(panel, curve.x, wide) for panel in curve.panels])
    yield " " * (GUTTER + 1) + curve.x_name
    lines = {line.name: line.beside for panel in curve.panels for line in panel.lines}
    yield " " * (GUTTER + 1) + "   ".join(f"{'· · ' if beside else '━━━ '}{name}" for name, beside in lines.items())


def _surface(surface: Surface) -> Iterator[str]:
    """The plane with the trajectories beside the heights, and which is which."""
    wide = braille.width(2)
    yield ""
    yield from braille.side_by_side([braille.plane(surface, wide), braille.descent(surface, wide)])
    yield " " * (GUTTER + 1) + "○ start   × minimum"
    yield from braille.legend(trajectory.name for trajectory in surface.trajectories)
