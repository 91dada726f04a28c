"""Every metric by language: a dot and an interval for each, the worst on top, and a table."""

from __future__ import annotations

import html
from pathlib import Path

from ..metrics.by_language import EASIER, FEW, HARDER, NOT_SHOWN
from ..tokens.graphemes import isolated, shortened
from . import conflict, words
from .frame import write_page
from .plot import LEGEND, Json, axis, dots, figure, rule
from .slices import p_value
from .words import THIN

_COLORS = {HARDER: "@bad", "worse": "@bad", EASIER: "@good", "better": "@good", NOT_SHOWN: "@unsure", FEW: "@muted"}
_DRAWN = 40  # languages of each pair of several
_NAME = 22  # characters of a language's name beside its dot
NAMES = words.NAMES | {"nats_per_text": ("Nats per text", "negative log-likelihood of a whole text")}
NOT_KEPT = "{} is no mean over texts, and the version that began this comparison did not keep it by language. Begin anew."
NOTE = (
    "Nats per text compare languages whose texts say the same, as translations do, and else tell of the texts' lengths. What is "
    "counted in tokens or bytes compares none: one language says in a few what takes another many."
)

ONE_LABEL = "One label: the accuracy of always answering a language's most frequent label."


def context(result: Json) -> Json | None:
    """What the page says of languages, where the result tells them apart."""
    found = result.get("languages")
    if not found or not found["rows"]:
        return None
    metrics = list(found["rows"][0]["metrics"])
    one_label = any("one_label" in row for row in found["rows"])  # missing in earlier records
    return {
        "verdict": found["verdict"],
        "metric": NAMES[found["metric"]][0],
        "metrics": [NAMES.get(name, (name, ""))[0] for name in metrics] + ["One label"] * one_label,
        "note": NOTE if found["metric"] == "nats_per_text" else ONE_LABEL if one_label else "",
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
        ]
        + ([(words.number("accuracy", row["one_label"]), "")] if "one_label" in row else []),
        "difference": "–" if apart is None else words.number("", apart["value"]),
        "range": "" if apart is None else words.interval("", apart),
        "p": p_value(row["p_holm"]),
        "word": "" if row["word"] == NOT_SHOWN else row["word"],
    }


def chart(result: Json) -> Json | None:
    """A dot for the mean loss in each language, and the interval of all that hold at once; None where there are no languages."""
    found = result.get("languages")
    if not found or not found["rows"]:
        return None
    rows = [(row, row["loss"], row["corrected"] or {"low": None, "high": None}) for row in found["rows"]]
    return _intervals(rows, f"{NAMES[found['metric']][0]}, lower is better", found["value"])


def write_languages(result: Json, name: str, path: Path) -> Path:
    """Write the page of what ``evaluate`` says of the languages of the data called ``name``, and return its path.

    Raises:
        RecordError: the page cannot be written.
    """
    both, drawn = (
        pairs(result.get("by_language"), rising=False),
        {"by-language": chart(result), "conflict": conflict.chart(result)},
    )
    figures = {one["id"]: one["figure"] for one in both if one["figure"]["data"]}
    figures |= {name: each for name, each in drawn.items() if each is not None}
    languages = {"languages": context(result), "pairs": both, "conflict": conflict.context(result), "figures": figures}
    return write_page("languages.html", {"name": f"Languages of {name}", "facts": [], **languages}, path)


def pairs(told: list[Json] | None, *, rising: bool) -> list[Json]:
    """What the page says of each pair of models, or of arms, by language; of several pairs with many languages those that lose
    most are drawn. ``rising``: whether more is better, where a pair does not say.
    """
    most = _DRAWN if len(told or []) > 1 else None
    return [
        {
            "drawn": f": the {most} that lose most" if most and len(one["rows"]) > most else "",
            "id": f"languages-{number}",
            "name": f"{one['run']} less {one['against']}" + (f", {one['unit'].removeprefix('of ')}" if "rising" in one else ""),
            "sentence": one["sentence"],
            "rows": [
                {
                    "language": row["language"],
                    "texts": words.smart(row["texts"]),
                    "difference": words.number("", row["value"]),
                    "range": "" if row["low"] is None else words.interval("", row),
                    "p": p_value(row["p_holm"]),
                    "word": row["word"],
                }
                for row in one["rows"]
            ],
            "figure": _intervals(
                [(row, row["value"], row) for row in one["rows"][:most] if row["value"] is not None],
                f"difference, {one['unit']}; {'higher' if one.get('rising', rising) else 'lower'} is better",
                0.0,
            ),
        }
        for number, one in enumerate(told or [])
    ]


def _intervals(rows: list[tuple[Json, float, Json]], title: str, at: float) -> Json:
    """A dot and an interval for each language, and a line ``at`` what they are compared with.

    rows: each with its value, and the ends of its interval, None where one is not known.
    """
    names_of = [row["language"] for row, _, _ in rows]
    labels = [html.escape(isolated(name)) for name in names_of]
    traces = []
    for word in (word for word in _COLORS if any(row["word"] == word for row, _, _ in rows)):
        some = [(label, *one) for label, one in zip(labels, rows, strict=True) if one[0]["word"] == word]
        reach = [[0.0 if ends[end] is None else abs(ends[end] - value) for end in ("low", "high")] for *_, value, ends in some]
        color = _COLORS[word]
        trace = dots([(value, label) for label, _, value, _ in some], {"size": 8, "color": color}, name=word)
        traces.append(trace | {
            "error_x": {
                "type": "data", "symmetric": False, "color": color, "thickness": 2, "width": 0,
                "array": [high for _, high in reach], "arrayminus": [low for low, _ in reach],
            },
            "customdata": [[row["texts"], words.interval("", ends)] for _, row, _, ends in some],
            "hovertemplate": "%{y}, %{customdata[0]:,} texts: %{x:.3g}, %{customdata[1]}<extra></extra>",
        })  # fmt: skip
    names = axis(
        "", type="category", range=[len(labels) - 0.5, -0.5], showgrid=False, tickmode="array", tickvals=labels,
        categoryorder="array", categoryarray=labels,
        ticktext=[html.escape(shortened(name, _NAME)) for name in names_of],
    )  # fmt: skip
    return figure(
        traces, height=130 + 22 * max(len(labels), 2), xaxis=axis(title, side="top"), yaxis=names,
        shapes=[rule(at, at, 0, 1, yref="paper")], showlegend=True, legend=LEGEND | {"y": 0, "yanchor": "top"},
    )  # fmt: skip
