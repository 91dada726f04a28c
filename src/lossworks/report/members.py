"""The page of registered members: their facts, curves and trajectories."""

from __future__ import annotations

from pathlib import Path

from ..catalog import Member
from . import member_charts
from .frame import write_page


def write_members(members: tuple[Member, ...], path: Path) -> Path:
    """Write the page of ``members`` and return its path.

    Raises:
        RecordError: the page cannot be written.
    """
    figures = {
        f"{m}-{c}-{p}": member_charts.curve_panel(curve, panel)
        for m, member in enumerate(members)
        for c, curve in enumerate(member.curves)
        for p, panel in enumerate(curve.panels)
    }
    for m, member in enumerate(members):
        for number, surface in enumerate(member.surfaces):
            figures |= {
                f"{m}-plane-{number}": member_charts.plane(surface),
                f"{m}-descent-{number}": member_charts.descent(surface),
            }
    name = members[0].spec
    return write_page(
        "members.html", {"name": name, "facts": [m.kind for m in members], "members": members, "figures": figures}, path
    )
