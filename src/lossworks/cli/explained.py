"""Explanations in the terminal: the text in colour, its parts with their shares, and the verdict; for programs, a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from ..report.explained_tokens import token_lines
from .tables import console, say
from .visible import in_line, visible

if TYPE_CHECKING:
    from ..api import Explanation

_SHOWN = 10  # parts in the table; the text's colours show all
_ROUNDING = 1e-9  # of the sum; what is smaller is not left over
_BAR = 24  # characters of the longest bar
_FOR, _AGAINST = (43, 95, 147), (176, 85, 42)
TONES = {"trust": "green", "not shown": "yellow", "do not trust": "red"}
COLUMNS = ("text", "part", "first", "last", "share")


def table(explanations: Sequence[Explanation]) -> str:
    """A line for each part: the number of its text, the part, its characters, its share."""
    lines = ["\t".join(COLUMNS)]
    for number, each in enumerate(explanations, 1):
        rows = zip(each.parts, each.spans.tolist(), each.shares.tolist(), strict=True)
        lines += [f"{number}\t{in_line(part)}\t{first}\t{last}\t{share:.6g}" for part, (first, last), share in rows]
    return "\n".join(lines)


def say_about(explanations: Sequence[Explanation]) -> None:
    """What a table does not hold, to stderr: the quantity that each text's shares add up to, and whether they may be believed."""
    for number, each in enumerate(explanations, 1):
        trial = "" if each.trial is None else f"; {each.trial.word}: {each.trial.sentence}"
        say(f"text {number}: {_equation(each)}{trial}")


def show(explanations: Sequence[Explanation]) -> None:
    """Every explanation for people."""
    screen = console()
    for each in explanations:
        screen.print(_coloured(each))
        screen.print(f"\n  {_equation(each)}")
        for line in _parts(each):
            screen.print(line)
        for told in token_lines(each.details):
            screen.print(Text(f"    {told}", style="dim"))
        if each.trial is not None:
            screen.print(Text(f"  {each.trial.word}", style=f"bold {TONES[each.trial.word]}") + f"  {each.trial.sentence}")
        screen.print(f"  {each.how}", style="dim")
        for note in each.notes:
            screen.print(f"  note   {note}", style="yellow")
        screen.print("")


def _equation(each: Explanation) -> str:
    """The quantity as a sum, with what is left over."""
    unit = f" {each.unit}" if each.unit else ""
    base, shares = each.baseline, float(each.shares.sum())
    left = each.residual if abs(each.residual) > _ROUNDING * max(abs(each.value), abs(base), abs(shares)) else 0.0
    return (
        f"{visible(each.quantity)}: {each.value:.4g}{unit} = {base:.4g} without any part "
        f"{_signed(shares)} from the parts {_signed(left)} left over"
    )


def _signed(value: float) -> str:
    return f"{'−' if value < 0 else '+'} {abs(value):.3g}"


def _parts(each: Explanation) -> list[Text]:
    """The parts with the largest shares, the largest first."""
    largest = max((abs(share) for share in each.shares.tolist()), default=0.0) or 1.0
    order = sorted(range(len(each.shares)), key=lambda part: -abs(each.shares[part]))[:_SHOWN]
    names = [in_line(each.parts[part]) or "(end)" for part in order]
    width = max(map(cell_len, names), default=0)
    lines = []
    for name, part in zip(names, order, strict=True):
        share = float(each.shares[part])
        lost = "" if each.deleted is None else f"   deleted {float(each.deleted[part]):+8.3f}"
        line = Text(f"  {name}{' ' * (width - cell_len(name))}  {share:+8.3f}  ")
        line.append("█" * max(1, round(_BAR * abs(share) / largest)) if share else "", style=_colour(share))
        lines.append(line + lost)
    if (rest := len(each.shares) - len(order)) > 0:
        lines.append(Text(f"  and {rest:,} smaller", style="dim"))
    return lines


def _coloured(each: Explanation) -> Text:
    """The text, what raises the quantity on blue and what lowers it on brown: the larger the share, the deeper."""
    largest = max((abs(share) for share in each.shares.tolist()), default=0.0) or 1.0
    shown, at = Text(), 0
    drawn = zip(each.spans.tolist(), each.shares.tolist(), strict=True)
    for (first, last), share in () if each.names else drawn:
        shown.append(visible(each.text[at:first]))
        depth = abs(share) / largest
        shown.append(visible(each.text[first:last]), style=f"white on {_colour(share)}" if depth > 0.15 else "")
        at = last
    shown.append(visible(each.text[at:]))
    return shown


def _colour(share: float) -> str:
    return "rgb({},{},{})".format(*(_FOR if share > 0 else _AGAINST))
