"""Curves of members as SVG in the page, in the colours of the theme, so that they turn dark with it."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence

from lossworks.catalog import Curve, Line, Panel, Surface
from lossworks.catalog.trajectories import LOWEST

WIDE, HIGH, LEFT, TOP, BELOW = 330, 190, 52, 22, 34  # of a panel: its plot, and the room around it


def curve(given: Curve) -> str:
    """The panels of a curve beside one another, with its caption."""
    return _figure([_panel(panel, given.x, given.x_name) for panel in given.panels], _legend(given.panels[0]), given.caption)


def descents(surfaces: Sequence[Surface]) -> str:
    """The value of each test function after each step of an optimizer, on a logarithmic axis."""
    panels = []
    for surface in surfaces:
        steps = max(len(path.values) for path in surface.trajectories)
        lines = [
            Line(
                name=path.name.partition(":")[0],
                y=_padded([math.log10(max(v, LOWEST)) for v in path.values], steps),
                reference=number > 0,
            )
            for number, path in enumerate(surface.trajectories)
        ]
        panels.append((Panel(title=f"log₁₀ of {surface.title}", lines=tuple(lines)), tuple(map(float, range(steps)))))
    drawn = [_panel(panel, x, "step") for panel, x in panels]
    return _figure(
        drawn, _legend(panels[0][0]), "Run on three functions of two weights, each optimizer at its best of eight learning rates."
    )


def _padded(values: list[float], length: int) -> tuple[float | None, ...]:
    return (*values, *[None] * (length - len(values)))


def _figure(panels: Iterable[str], legend: str, caption: str) -> str:
    return f'<figure class="curve"><div>{"".join(panels)}</div><figcaption>{legend}{html.escape(caption)}</figcaption></figure>'


def _legend(panel: Panel) -> str:
    names = (f'<span class="line-{number}">{html.escape(line.name)}</span>' for number, line in enumerate(panel.lines))
    return "".join(names)


def _panel(panel: Panel, x: Sequence[float], x_name: str) -> str:
    low, high = panel.limits()
    first, last = (x[0], x[-1]) if not panel.bars else (x[0] - 0.5, x[-1] + 0.5)

    def at(a: float, b: float) -> tuple[float, float]:
        return LEFT + (a - first) / ((last - first) or 1) * WIDE, TOP + (high - b) / (high - low) * HIGH

    def words(a: float, b: float, text: str, anchor: str) -> str:
        return f'<text x="{a:.1f}" y="{b:.1f}" text-anchor="{anchor}">{html.escape(text)}</text>'

    bottom, right = TOP + HIGH, LEFT + WIDE
    said = [words(LEFT, 14, panel.title, "start"), words((LEFT + right) / 2, bottom + 30, x_name, "middle")]
    said += [words(LEFT - 5, y, f"{value + 0.0:.3g}", "end") for y, value in ((TOP + 8, high), (bottom, low))]
    said += [words(a, bottom + 15, f"{x[end]:.3g}", anchor) for a, end, anchor in ((LEFT, 0, "start"), (right, -1, "end"))]
    drawn = [f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>']
    if low < 0 < high:
        drawn.append(f'<path class="zero" d="M{LEFT} {at(first, 0)[1]:.1f}H{right}"/>')
    for number, line in reversed(list(enumerate(panel.lines))):
        points = [at(a, b) if b is not None and low <= b <= high else None for a, b in zip(x, line.y, strict=True)]
        bars = bottom if panel.bars and not line.reference else None
        drawn.append(f'<path class="line-{number}" d="{_path(points, bars)}"/>')
    view = f"0 0 {right + 12} {bottom + BELOW}"
    return f'<svg viewBox="{view}" role="img" aria-label="{html.escape(panel.title)}">{"".join(drawn)}{"".join(said)}</svg>'


def _path(points: Sequence[tuple[float, float] | None], bars: float | None) -> str:
    """A line through ``points``, broken where there is none; or an upright from ``bars``, the bottom, to each."""
    parts, pen = [], "M"
    for point in points:
        if point is not None:
            parts.append(f"{pen}{point[0]:.1f} {point[1]:.1f}" if bars is None else f"M{point[0]:.1f} {bars}V{point[1]:.1f}")
        pen = "M" if point is None else "L"
    return "".join(parts)
