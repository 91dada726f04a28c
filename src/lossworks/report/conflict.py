"""Which languages pull a model's weights apart: a heat map of the cosines of their gradients, and a table of the pairs."""

from __future__ import annotations

import html
from typing import Any

import numpy as np

from ..tokens.graphemes import isolated, shortened
from . import words
from .plot import Json, axis, dots, figure
from .slices import p_value

_NUMBERED, _TURNED, _NAMED = 5, 12, 60  # languages with room on a phone for numbers in the cells, names of columns, of rows
_LISTED = 300  # pairs in the table
_NAME = 14  # characters of a language's name beside its row
_SCALE = [[0, "@second/99"], [0.5, "@cell"], [1, "@accent/99"]]
"""Orange where languages conflict, blue where they agree: told apart without red and green, and text is legible on both."""


def context(result: Json) -> Json | None:
    """What the page says of conflicts, where they were looked for."""
    found = result.get("conflict")
    if found is None:
        return None
    pairs = found["pairs"]
    return {
        "verdict": found["verdict"],
        "rows": [
            {
                "languages": pair["languages"],
                "cosine": "–" if pair["cosine"] is None else words.number("", pair["cosine"]),
                "range": "" if pair["cosine"] is None else words.interval("", pair),
                "p": p_value(pair["p_holm"]),
                "word": pair["word"],
            }
            for pair in pairs[:_LISTED]
        ],
        "more": max(len(pairs) - _LISTED, 0),
        "crossed": _NUMBERED < len(found["languages"]) <= _NAMED,
        "languages": [
            {
                "language": name,
                "texts": words.smart(each["texts"]),
                "norm": "–" if each["norm"] is None else f"{each['norm']:.3g}",
            }
            for name, each in found["languages"].items()
        ],
    }


def chart(result: Json) -> Json | None:
    """The cosine of each pair as a cell, languages that pull alike side by side; None where no pair has one."""
    found = result.get("conflict")
    if found is None or all(pair["cosine"] is None for pair in found["pairs"]):
        return None
    names, cosines, called = _square(found)
    escaped, count = [html.escape(isolated(name)) for name in names], len(names)
    traces: list[Json] = [{
        "type": "heatmap", "x": escaped, "y": escaped, "z": cosines, "zmin": -1, "zmax": 1, "customdata": called,
        "xgap": 1 if count <= _NAMED else 0, "ygap": 1 if count <= _NAMED else 0, "colorscale": _SCALE,
        "hovertemplate": "%{y} and %{x}: %{z:.2f}, %{customdata}<extra></extra>", "hoverongaps": False,
        "colorbar": {
            "orientation": "h", "y": 0, "yanchor": "top", "thickness": 10, "outlinewidth": 0, "tickvals": [-1, 0, 1],
            "tickfont": {"color": "@muted", "size": 12},
        },
    }]  # fmt: skip
    cells = [(x, y) for y in range(count) for x in range(count)]
    if count <= _NUMBERED:
        told = [(x, y) for x, y in cells if cosines[y][x] is not None]
        traces.append({
            "type": "scatter", "mode": "text", "hoverinfo": "skip", "showlegend": False,
            "x": [escaped[x] for x, _ in told], "y": [escaped[y] for _, y in told],
            "text": [_number(cosines[y][x]) for x, y in told], "textfont": {"size": 12, "color": "@text"},
        })  # fmt: skip
    shown = [(escaped[x], escaped[y]) for x, y in cells if called[y][x] == "conflict"]
    if shown and _NUMBERED < count <= _NAMED:
        traces.append(dots(shown, {"symbol": "x-thin", "size": 7, "line": {"width": 1.5, "color": "@text"}},
                           hoverinfo="skip", showlegend=False))  # fmt: skip
    ticks = {
        "type": "category", "showgrid": False, "showline": False, "tickmode": "array",
        "tickvals": escaped, "ticktext": [html.escape(shortened(name, _NAME)) for name in names],
    }  # fmt: skip
    return figure(
        traces, height=min(760, 220 + 34 * count), margin={"l": 24, "r": 12, "t": 24, "b": 64},
        xaxis=axis("", side="top", tickangle=-90, showticklabels=count <= _TURNED, **ticks),
        yaxis=axis("", autorange="reversed", showticklabels=count <= _NAMED, **ticks),
    )  # fmt: skip


def _square(found: Json) -> tuple[list[str], list[list[float | None]], list[list[str]]]:
    """The languages, those that pull alike side by side, their cosines, and what is said of each pair."""
    from scipy.cluster.hierarchy import leaves_list, linkage  # takes a while, and most pages have no such picture

    names: list[str] = list(found["languages"])
    place, count = {name: at for at, name in enumerate(names)}, len(names)
    cosines, said = np.full((count, count), np.nan), np.full((count, count), "", object)
    for pair in found["pairs"]:
        one, other = (place[name] for name in pair["languages"])
        cosines[one, other] = cosines[other, one] = np.nan if pair["cosine"] is None else pair["cosine"]
        said[one, other] = said[other, one] = pair["word"]
    apart = 1 - np.nan_to_num(cosines)[np.triu_indices(count, 1)]
    order = leaves_list(linkage(apart, "average", optimal_ordering=True)) if count > 2 else np.arange(count)
    turned = cosines[np.ix_(order, order)]
    values: Any = np.where(np.isnan(turned), None, turned.round(4))
    return [names[at] for at in order], values.tolist(), said[np.ix_(order, order)].tolist()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}".replace("-", "−")
