"""Every metric by language: a dot and an interval for each, the worst on top, and a table."""

from __future__ import annotations

import html

from ..metrics.by_language import EASIER, FEW, HARDER, NOT_SHOWN
from . import words
from .plot import LEGEND, Json, axis, dots, figure, rule
from .slices import p_value
from .words import THIN

_COLORS = {HARDER: "@bad", EASIER: "@good", NOT_SHOWN: "@unsure", FEW: "@muted"}
_NAME = 22  # characters of a language's name beside its dot
NAMES = words.NAMES | {"nats_per_text": ("Nats per text", "negative log-likelihood of a whole text")}
NOTE = (
    "Nats per text compare languages whose texts say the same, as translations do, and else tell of the texts' lengths. What is "
    "counted in tokens or bytes compares none: one language says in a few what takes another many."
)


def context(result: Json) -> Json | None:
    """What the page says of languages, where the result tells them apart."""
    found = result.get("languages")
    if not found or not found["rows"]:
        return None
    metrics = list(found["rows"][0]["metrics"])
    return {
        "verdict": found["verdict"],
        "metric": NAMES[found["metric"]][0],
        "metrics": [NAMES.get(name, (name, ""))[0] for name in metrics],
        "note": NOTE if found["metric"] == "nats_per_text" else "",
        "fewest": found["fewest"],
        "rows": [_row(row, metrics) for row in found["rows"]],
    }


def _row(row: Json, metrics: list[str]) -> Json:
    apart = row["difference"]
    return {
        "language": row["language"],
        "texts": words.smart(row["texts"]),
        "share": f"{100 * row['share']:.3g}{THIN}%",
        "metrics": [
            (words.number(name, row["metrics"][name]["value"]), words.interval(name, row["metrics"][name])) for name in metrics
        ],
        "difference": "–" if apart is None else words.number("", apart["value"]),
        "range": "" if apart is None else words.interval("", apart),
        "p": "–" if row["p_holm"] is None else p_value(row["p_holm"]),
        "word": "" if row["word"] == NOT_SHOWN else row["word"],
    }


def chart(result: Json) -> Json | None:
    """A dot for the mean loss in each language, and the interval of all that hold at once; None where there are no languages."""
    found = result.get("languages")
    if not found or not found["rows"]:
        return None
    labels = [html.escape(row["language"]) for row in found["rows"]]
    traces = []
    for word in (word for word in _COLORS if any(row["word"] == word for row in found["rows"])):
        some = [(label, row) for label, row in zip(labels, found["rows"], strict=True) if row["word"] == word]
        ends = [row["corrected"] or {"low": None, "high": None} for _, row in some]
        reach = [[abs((of[end] if of[end] is not None else row["loss"]) - row["loss"]) for end in ("low", "high")]
                 for of, (_, row) in zip(ends, some, strict=True)]  # fmt: skip
        color = _COLORS[word]
        trace = dots([(row["loss"], label) for label, row in some], {"size": 8, "color": color}, name=word)
        traces.append(trace | {
            "error_x": {
                "type": "data", "symmetric": False, "color": color, "thickness": 2, "width": 0,
                "array": [high for _, high in reach], "arrayminus": [low for low, _ in reach],
            },
            "customdata": [
                [row["texts"], words.interval(found["metric"], row["corrected"]) if row["corrected"] else ""] for _, row in some
            ],
            "hovertemplate": "%{y}, %{customdata[0]:,} texts: %{x:.3g}, %{customdata[1]}<extra></extra>",
        })  # fmt: skip
    names = axis(
        "", type="category", range=[len(labels) - 0.5, -0.5], showgrid=False, tickmode="array", tickvals=labels,
        categoryorder="array", categoryarray=labels,
        ticktext=[label if len(label) <= _NAME else label[: _NAME - 1] + "…" for label in labels],
    )  # fmt: skip
    title = NAMES[found["metric"]][0]
    return figure(
        traces, height=110 + 22 * max(len(labels), 2), xaxis=axis(f"{title}, lower is better", side="top"), yaxis=names,
        shapes=[rule(found["value"], found["value"], 0, 1, yref="paper")], showlegend=True,
        legend=LEGEND | {"y": 0, "yanchor": "top"},
    )  # fmt: skip
