"""The page of explained texts: parts shaded by their shares, the sum with what is left over, and the verdict of the trial."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from .explained_tokens import token_lines
from .frame import write_page
from .words import Json

_TONES = {"trust": "good", "not shown": "unsure", "do not trust": "bad"}
_DEEPEST = 46  # percent of the colour, so that text on it stays legible
_SHOWN = 40  # parts in the table of a text
_LISTED = 50  # texts of a data set


def write_explanations(
    name: str, facts: Sequence[str], explanations: Sequence[Json], path: Path, data: Json | None = None
) -> Path:
    """Write the page of explanations and return its path.

    Args:
        name: of the model.
        facts: shown below its name.
        explanations: as ``Explanation.to_json`` gives them.
        path: of the file.
        data: what the explanations of a data set come to, as ``ExplainedData.to_json`` gives it; None: they are of single texts.

    Raises:
        RecordError: the page cannot be written.
    """
    listed = explanations if data is None else explanations[:_LISTED]
    texts = [_text(json.loads(json.dumps(each))) for each in listed]
    return write_page("explained.html", {"name": name, "facts": facts, "texts": texts, "data": data and _data(data)}, path)


def _data(data: Json) -> Json:
    """The verdict over all texts, and for each quantity what raises and what lowers it, with the bars' widths."""
    groups = []
    for group in data["parts"]:
        kinds = [*group["raising"], *group["lowering"]]
        largest = max((abs(kind["total"]) for kind in kinds), default=0.0) or 1.0
        sides = [("raises", group["raising"]), ("lowers", group["lowering"])]
        groups.append({**group, "sides": [(side, [_kind(kind, largest) for kind in kinds]) for side, kinds in sides]})
    more = data["explained"] - _LISTED
    listed = f"The first {_LISTED} of {data['explained']:,}." if more > 0 else "All that were explained."
    tone = _TONES[data["trial"]["word"]] if data["trial"] else "plain"
    return {**data, "groups": groups, "listed": listed, "tone": tone}


def _kind(kind: Json, largest: float) -> Json:
    mean = kind["mean"]
    return {
        **kind,
        "shown": f"{mean['value']:+.3g}",
        "interval": f"{mean['low']:+.2g} to {mean['high']:+.2g}",
        "side": "for" if kind["total"] > 0 else "against",
        "width": round(100 * abs(kind["total"]) / largest, 1),
    }


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
        "lines": token_lines(each["details"]),
        "deletes": any(part["gone"] for part in parts),
    }
