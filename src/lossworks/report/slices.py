"""The page of slices: which parts of a data set have another loss, as dots with their intervals and as a table."""

from __future__ import annotations

import html
from pathlib import Path

from ..evidence.slices import title
from ..tokens.graphemes import isolated, shortened
from .frame import write_page
from .plot import LEGEND, Json, axis, dots, figure, rule
from .words import THIN, smart

_DRAWN, _LISTED = 30, 300  # slices in the picture, and in the table
_COLORS = {"harder": "@bad", "worse": "@bad", "easier": "@good", "better": "@good", "differs": "@unsure"}
_NONE = "no difference shown"


AS_TRAINED = (
    "These are the models as they were trained: with another seed they may differ on other slices, or the other way round. "
    "Whether one way to train is better than another, lossworks compare tells."
)


def write_slices(found: Json, name: str, path: Path) -> Path:
    """Write the page of the slices of the data called ``name``, as ``evaluate`` gives them, and return its path.

    Raises:
        RecordError: the page cannot be written.
    """
    tables = [_table(table, number, found["unit"]) for number, table in enumerate(found["tables"])]
    shown = any(table["count"] for table in tables)
    context = {
        "name": f"Slices of {name}",
        "facts": [found["metric"], f"{len(found['tables'][0]['slices']):,} slices tested"],
        "found": found,
        "tables": tables,
        "tone": "plain" if shown else "unsure",
        "headline": "Parts that differ" if shown else "No slice shown to differ",
        "figures": {f"slices-{number}": _figure(table, found["unit"]) for number, table in enumerate(found["tables"])},
        "as_trained": AS_TRAINED,
        "untested": _untested(found["tables"][0]["untested"]),
    }
    return write_page("slices.html", context, path)


def _table(table: Json, number: int, unit: str) -> Json:
    paired = table["against"] is not None
    rows = [_row(one, paired) for one in table["slices"][:_LISTED]]
    return {
        "number": number,
        "heading": f"{table['run']} less {table['against']}" if paired else table["run"],
        "paired": paired,
        "verdict": table["verdict"],
        "mean": _number(table["mean"]["value"]),
        "unit": unit,
        "rows": rows,
        "count": sum(one["word"] != _NONE for one in table["slices"]),
        "more": len(table["slices"]) - len(rows),
    }


def _row(one: Json, paired: bool) -> Json:
    return {
        "name": title(one["kind"], one["name"]),
        "also": ", ".join(one["also"]),
        "word": one["word"],
        "texts": smart(one["texts"]),
        "share": f"{100 * one['share']:.3g}{THIN}%",
        "inside": _number(one["inside"]),
        "own": _range(one["inside_low"], one["inside_high"]) if paired else "",
        "outside": _number(one["outside"]),
        "value": _number(one["value"]),
        "range": _range(one["low"], one["high"]),
        "p": p_value(one["p_holm"]),
        "excess": "–"
        if one["excess"] is None
        else _number(one["excess"])
        if paired
        else _number(100 * one["excess"]) + f"{THIN}%",
    }


def _figure(table: Json, unit: str) -> Json:
    """The slices that differ, or those that came nearest to it: inside less outside, with intervals."""
    drawn = table["slices"][:_DRAWN]
    titles = [title(one["kind"], one["name"]) for one in drawn]
    labels = [html.escape(isolated(name)) for name in titles]
    traces = []
    for word in dict.fromkeys(one["word"] for one in drawn):
        some = [(label, one) for label, one in zip(labels, drawn, strict=True) if one["word"] == word]
        color = _COLORS.get(word, "@muted")
        trace = dots([(one["value"], label) for label, one in some], {"size": 10, "color": color}, name=word)
        traces.append(trace | {
            "error_x": {
                "type": "data", "symmetric": False, "color": color, "thickness": 2.5, "width": 6,
                "array": [one["high"] - one["value"] for _, one in some],
                "arrayminus": [one["value"] - one["low"] for _, one in some],
            },
            "customdata": [[one["low"], one["high"], one["texts"]] for _, one in some],
            "hovertemplate":
                "%{y}, %{customdata[2]:,} texts: %{x:.3g}, %{customdata[0]:.3g} to %{customdata[1]:.3g}<extra></extra>",
        })  # fmt: skip
    names = axis(
        "", type="category", autorange="reversed", showgrid=False, tickmode="array", tickvals=labels,
        ticktext=[html.escape(shortened(name, 34)) for name in titles],
    )  # fmt: skip
    return figure(
        traces, height=130 + 28 * max(len(drawn), 1), xaxis=axis(f"difference, {unit}"), yaxis=names,
        shapes=[rule(0, 0, 0, 1, yref="paper")], legend=LEGEND, showlegend=True,
    )  # fmt: skip


def _untested(few: list[tuple[str, str, int]]) -> list[str]:
    """Slices of too few texts, by kind, with their names while they are few."""
    kinds: dict[str, list[str]] = {}
    for kind, name, texts in few:
        kinds.setdefault(kind, []).append(f"{name} ({texts:,})")
    return [
        f"{kind}: {', '.join(names[:12])}{f' and {len(names) - 12:,} more' if len(names) > 12 else ''}"
        for kind, names in kinds.items()
    ]


def p_value(value: float | None) -> str:
    """A p as a table shows it; None: nothing was tested."""
    return "–" if value is None else f"{value:.2g}" if value >= 1e-4 else "<0.0001"


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _range(low: float, high: float) -> str:
    return f"{_number(low)} to {_number(high)}"
