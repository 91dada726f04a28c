"""What ``lossworks data check`` says in a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_PAIRS = 5  # of each kind


def tell(found: dict[str, Any], page: Path) -> None:
    """What was found, a few pairs of each kind, and the figures."""
    from ..report.data_check import SPELLING, sentences
    from .tables import console
    from .visible import in_line, visible

    screen = console()
    screen.print(f"{found['source']}: {found['rows']:,} texts, {found['bytes'] / 1e6:.3g} MB")
    for sentence in sentences(found):
        screen.print(f"  {visible(sentence)}")
    for doubles in (*found["against"], found["doubles"]):
        screen.print()
        for pair in doubles["shown"][:_PAIRS]:
            likeness = "the same" if pair["exact"] else f"{pair['likeness']:.3f}"
            screen.print(visible(f"{likeness:>8}  {pair['row']}: {_cut(in_line(pair['text']))}"))
            screen.print(visible(f"{'':8}  {pair['of']}: {_cut(in_line(pair['original']))}"))
    for each in found["conflicts"]["shown"][:_PAIRS]:
        labels = ", ".join(f"{label}: {count}" for label, count in each["labels"].items())
        screen.print(visible(f"  labels  {labels}  {each['rows'][0]}: {_cut(in_line(each['text']))}"))
    for kind, rows in found["recurring"].items():
        for each in rows[:_PAIRS]:
            screen.print(visible(f"{kind:>8}  in {each['texts']:,} texts: {_cut(in_line(each['text']))}"))
    screen.print()
    for name, count in found["spelling"].items():
        if count:
            screen.print(f"{count:8,}  texts have {SPELLING[name]}")
    for row in found["scripts"][:_PAIRS]:
        screen.print(f"{row['texts']:8,}  texts in {row['name']}")
    for unit, points in found["lengths"].items():
        screen.print(f"  {unit}: {', '.join(f'{name} {value:,.0f}' for name, value in points.items())}")
    screen.print(f"Page:  {page}")


def _cut(text: str) -> str:
    return text if len(text) <= 90 else f"{text[:90]}…"
