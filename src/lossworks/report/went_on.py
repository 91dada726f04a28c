"""What a run that went on from another says of that: where it began, and what it forgot."""

from __future__ import annotations

from . import words
from .words import Json

_LISTED = 10
_WORDS = ((0.9, "nearly all"), (0.5, "most"), (0.1, "some"))
"""What a share that is gone is called, from that on."""


def sentences(summary: Json) -> list[str]:
    """What a run that went on from another has to say of that: where it began, and what it forgot."""
    found: Json | None = (summary.get("result") or {}).get("from")
    if found is None:
        return []
    labels: list[str] = found["labels"]
    new = f"; new labels: {', '.join(labels[:_LISTED])}{' …' if len(labels) > _LISTED else ''}" if labels else ""
    state = f" The optimizer's state began anew: {found['optimizer']}." if found["optimizer"] else ""
    said = [f"Went on from {found['run']}{new}.{state}", _forgotten(found)]
    if found.get("learned"):
        of = words.counted(found["learned"], "of the new test rows stands", "of the new test rows stand")
        said.append(f"{of} among what {found['run']} was trained on, word for word or nearly: the figures flatter the model.")
    return said


def _forgotten(found: Json) -> str:
    """Whether a training that went on forgot what it had learned, by the test part of the run before."""
    if "note" in found:
        return f"Of {found['run']}: {found['note']}."
    name, rows = found["metric"], found["metrics"]
    main = rows[name]
    out = f" ({words.counted(found['known'], 'row')} that stand in the new training data left out)" if found["known"] else ""
    told = f"{name} {words.number(name, main['before'])} before, {words.number(name, main['after'])} now, {_apart(name, main)}"
    if "accuracy" in rows:
        right = rows["accuracy"]
        told += f"; accuracy {words.number('accuracy', right['before'])} before, {words.number('accuracy', right['after'])} now"
    if found["verdict"] == "forgot" and (lost := found.get("lost")) is not None and lost > 0:
        gone = "all" if lost >= 1 else words.number("accuracy", lost)
        told += f"; of its lead over the constant baseline in {found['lead']}, {gone} is gone"
    headline = {
        "forgot": f"It forgot {_share(found)} of what {found['run']} knew",
        "better": f"It is better than {found['run']} on its test rows too",
        "open": f"It is not shown to have forgotten what {found['run']} knew",
    }[found["verdict"]]
    return f"{headline}: on its {words.counted(found['rows'], 'test row')}{out} {told}."


def _share(found: Json) -> str:
    """How much was forgotten, by what is gone of the lead over the constant baseline; earlier records do not tell."""
    lost: float | None = found.get("lost")
    if lost is None:
        return "some"
    return next((word for least, word in _WORDS if lost >= least), "a little")


def _apart(name: str, row: Json) -> str:
    """A difference with its sign, and its interval."""
    value, low, high = (words.number(name, row["difference"][key]) for key in ("value", "low", "high"))
    sign = "+" if row["difference"]["value"] >= 0 else ""
    return f"{sign}{value} ({low} to {high})"
