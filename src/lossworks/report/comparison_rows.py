"""The tables and texts of a comparison below the verdicts: by label, by slice, and texts to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import words
from .comparison_charts import drawn
from .words import Json

_LABELS = 40  # rows of the table of labels
_PARTS = ("model", "tokenizer", "tokens", "loss", "optimizer")  # "tokens" in comparisons of before
MARKS = {"better": "▲", "worse": "▼", "equivalent": "=", "not enough to say": "?"}
"""The verdict on an arm, next to its mean."""


def grid(result: Json) -> Json | None:
    """Arms that are all combinations of two factors, such as losses and optimizers, as rows and columns; else None.

    ``cells[row][column]`` is the arm.
    """
    spelled = [tuple(arm["settings"].get(part) for part in _PARTS) for arm in result["arms"]]
    varied = [place for place in range(len(_PARTS)) if len({each[place] for each in spelled}) > 1]
    if len(varied) != 2:
        return None
    down, across = (list(dict.fromkeys(each[place] for each in spelled)) for place in varied)
    arms = {tuple(each[place] for place in varied): arm for each, arm in zip(spelled, result["arms"], strict=True)}
    if len(arms) != len(spelled) or len(arms) != len(down) * len(across):
        return None
    cells = [[arms[row, column] for column in across] for row in down]
    return {"of": tuple(_PARTS[place] for place in varied), "rows": down, "columns": across, "cells": cells}


def rows_are(result: Json) -> str:
    """What test units are called: rows (of fewer different texts, where some recur), texts or segments."""
    name = str(result.get("rows_are", "test rows"))  # missing in earlier records
    return f"{name} ({texts:,} different texts)" if (texts := result.get("test_texts")) else name


def beside_counts(result: Json) -> str:
    """What an n-gram model of the same tokens reaches, and which arms have beaten it; empty where none was to be counted."""
    rival = result.get("ngram")  # missing in earlier records
    if rival is None or "note" in rival:
        return "" if rival is None else str(rival["note"])
    told = [f"A {rival['name']} counted on the same tokens has {result['metric']} {number(rival['value'])}."]
    for word in ("better", "worse", "no difference shown", "not enough to say"):
        found = [one for one in rival["arms"] if one["word"] == word and one["value"] is not None]
        by = [f"{one['arm']} by {number(abs(one['value']))}{_between(one)}" for one in found]
        said = word if word in ("better", "worse") else f"{word} of"
        told += [f"{said.capitalize()}{' than that' if said == word else ''}: {', '.join(by)}."] if by else []
    return " ".join(told)


def _between(one: Json) -> str:
    """The interval of a difference whose sign the words tell, or none."""
    if one["low"] is None:
        return ""
    low, high = (one["low"], one["high"]) if one["value"] > 0 else (-one["high"], -one["low"])
    return f" ({number(low)} to {number(high)})"


def diagnostics(summary: Json) -> Json:
    """What the template shows below the verdicts, for the arms in the line charts."""
    result = summary["result"]
    shown = drawn(result)
    places = [result["arms"].index(arm) for arm in shown]
    return {
        "arms": [arm["name"] for arm in shown],
        "slices": _slices(result, places),
        "labels": _labels(summary, shown),
        "calibration": _calibration(result),
        **_reading(result.get("reading") or {"hard": [], "apart": []}, [arm["name"] for arm in result["arms"]], result["metric"]),
    }


def _slices(result: Json, places: Sequence[int]) -> Json | None:
    """Each group of rows with every arm's mean and its difference from the baseline."""
    slices = result.get("slices")  # missing in earlier records, as are the other diagnostics
    if slices is None or not slices["groups"]:
        return None
    rows = []
    for group in slices["groups"]:
        cells = []
        for arm in (group["arms"][place] for place in places):
            known = arm["difference"] is not None
            clear = known and (arm["low"] > 0 or arm["high"] < 0)
            about = f"{short(arm['difference'])} ({short(arm['low'])} to {short(arm['high'])})" if known else ""
            cells.append({"value": number(arm["value"]), "about": about, "clear": clear})
        rows.append({"name": group["name"], "kind": group["kind"], "rows": f"{group['rows']:,}", "cells": cells})
    return {"metric": slices["metric"], "rows": rows}


def _labels(summary: Json, shown: Sequence[Json]) -> list[Json]:
    """F1 by label and arm, the most frequent labels first."""
    labels, counts = summary.get("labels") or [], summary["data"].get("label_counts") or {}
    if not labels or not any(arm.get("f1") for arm in shown):
        return []
    rows = []
    for place, label in enumerate(labels):
        cells = [
            {"value": f"{f1['mean']:.3f}", "about": f"{f1['low']:.3f} to {f1['high']:.3f}"} if f1 else {"value": "–", "about": ""}
            for f1 in (arm["f1"][place] if arm.get("f1") else None for arm in shown)
        ]
        rows.append({"name": label, "texts": f"{counts.get(label, 0):,}", "cells": cells})
    return sorted(rows, key=lambda row: -counts.get(row["name"], 0))[:_LABELS]


def _calibration(result: Json) -> list[Json]:
    """Expected calibration error by arm: mean and range of the seeds."""
    return [
        {
            "name": arm["name"],
            "mean": number(sum(arm["ece"]) / len(arm["ece"])),
            "range": f"{number(min(arm['ece']))} to {number(max(arm['ece']))}" if len(arm["ece"]) > 1 else "–",
        }
        for arm in result["arms"]
        if arm.get("ece")
    ]


def _reading(texts: Json, names: Sequence[str], metric: str) -> Json:
    """The texts to read, with what each arm predicted."""
    hard = [_text(one, ["all arms"], metric) for one in texts["hard"]]
    apart = [
        {
            **one,
            "won": None if one["won"] is None else f"{one['won']:.1f}",
            "lost": None if one["lost"] is None else f"{one['lost']:.1f}",
            **{side: [_text(text, [names[0], one["arm"]], metric) for text in one[side]] for side in ("better", "worse")},
        }
        for one in texts["apart"]
        if one["better"] or one["worse"]
    ]
    return {"hard": hard, "apart": apart}


def _text(one: Json, whose: Sequence[str], metric: str) -> Json:
    answers = [
        {"arm": name, "answer": _answer(answer), "value": f"{metric} {number(value)}"}
        for name, answer, value in zip(whose, one["said"], one["values"], strict=True)
    ]
    truth = None if one["truth"] is None else words.smart(one["truth"])
    return {"text": one["text"], "place": one["place"], "truth": truth, "answers": answers}


def _answer(answer: Any) -> str:
    """A prediction: labels and in how many runs, a number, or nothing."""
    if answer is None:
        return ""
    if isinstance(answer, float):
        return f"{answer:.4g}"
    of = sum(answer.values())
    return ", ".join(label if count == of else f"{label} {count} of {of} times" for label, count in answer.items())


def signed(value: float | None) -> str:
    """A difference, with its sign."""
    return "–" if value is None else f"{value:+.3g}".replace("-", "−")


def short(value: float) -> str:
    """A difference in a table cell."""
    return f"{value:+.2g}".replace("-", "−")


def number(value: float | None) -> str:
    """A number, with a proper minus sign."""
    return "–" if value is None else f"{value:.4g}".replace("-", "−")
