"""The page of explained texts: parts shaded by their shares, the sum with what is left over, and the verdict of the trial."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .frame import write_page
from .words import Json

_TONES = {"trust": "good", "not shown": "unsure", "do not trust": "bad"}
_DEEPEST = 46  # percent of the colour, so that text on it stays legible
_SHOWN = 40  # parts in the table of a text


def write_explanations(name: str, facts: Sequence[str], explanations: Sequence[Json], path: Path) -> Path:
    """Write the page of explanations and return its path.

    Args:
        name: of the model.
        facts: shown below its name.
        explanations: as ``Explanation.to_json`` gives them.
        path: of the file.

    Raises:
        RecordError: the page cannot be written.
    """
    return write_page("explained.html", {"name": name, "facts": facts, "texts": list(map(_text, explanations))}, path)


def _text(each: Json) -> Json:
    """An explanation with its text cut into pieces, of which some are parts, and its parts by size."""
    parts, text = each["parts"], each["text"]
    largest = max((abs(part["share"] or 0.0) for part in parts), default=0.0) or 1.0
    for number, part in enumerate(parts):
        share = part["share"]
        part |= {
            "number": number,
            "side": "against" if (share or 0.0) < 0 else "for",
            "depth": round(_DEEPEST * abs(share or 0.0) / largest),
            "width": round(100 * abs(share or 0.0) / largest, 1),
            "shown": "∞" if share is None else f"{share:+.3g}",
            "gone": f"{part['deleted']:+.3g}" if part.get("deleted") is not None else "",
            "name": part["text"] if part["text"].strip() else "(end of the text)",
        }
    drawn = [] if each.get("named") else parts  # what has a name of its own is no passage
    ends = [0, *(part["characters"][1] for part in drawn)]
    gaps = [text[end : part["characters"][0]] for end, part in zip(ends, drawn, strict=False)]
    ranked = sorted(parts, key=lambda part: -abs(part["share"] or 0.0))
    total = None if each["value"] is None else sum(part["share"] or 0.0 for part in parts)
    trial = each["trial"]
    return {
        **each,
        "pieces": list(zip(gaps, drawn, strict=True)),
        "rest": text[ends[-1] :],
        "ranked": ranked[:_SHOWN],
        "more": len(ranked) - _SHOWN,
        "total": total,
        "tone": _TONES[trial["word"]] if trial else "plain",
        "deletes": any(part["gone"] for part in parts),
    }
