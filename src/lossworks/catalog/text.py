"""A member as terminal text: facts, curves and trajectories in 78 columns, without colour."""

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
    """The text of all members, one after the other."""
    return "\n\n".join("\n".join(_member(member)) for member in members)


def value(of: Any) -> str:
    """A hyperparameter's value as spelled in specs."""
    if isinstance(of, list | tuple):
        return "/".join(map(value, of)) or "none"
    return str(of).lower() if isinstance(of, bool) else "none" if of is None else str(of)


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
    parameters = (
        f"{each.name}={value(each.value)}" + ("" if each.value == each.default else f" (default {value(each.default)})")
        for each in facts.parameters
    )
    for name in ("domain", "limit", "gradient"):
        yield from _slot(name, getattr(facts, name))
    yield from _slot("parameters", ", ".join(parameters))
    yield from _slot("source", facts.source)


def _slot(name: str, body: str) -> list[str]:
    return textwrap.wrap(body, WIDTH, initial_indent=f"  {name:12}", subsequent_indent=" " * 14) if body else []


def _curve(curve: Curve) -> Iterator[str]:
    """The panels side by side, the x axis and the legend."""
    wide = braille.width(len(curve.panels))
    yield ""
    yield from braille.side_by_side([braille.curve_panel(panel, curve.x, wide) for panel in curve.panels])
    yield " " * (GUTTER + 1) + curve.x_name
    lines = {line.name: line.reference for panel in curve.panels for line in panel.lines}
    yield " " * (GUTTER + 1) + "   ".join(f"{'· · ' if reference else '━━━ '}{name}" for name, reference in lines.items())


def _surface(surface: Surface) -> Iterator[str]:
    """The trajectories in the plane, the function values by step, and the legend."""
    wide = braille.width(2)
    yield ""
    yield from braille.side_by_side([braille.plane(surface, wide), braille.descent(surface, wide)])
    yield " " * (GUTTER + 1) + "○ start   × minimum"
    yield from braille.legend(trajectory.name for trajectory in surface.trajectories)
