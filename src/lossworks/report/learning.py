"""The page of when training rows were learned: the data map, a histogram of epochs, and the rows at each end."""

from __future__ import annotations

import html
from pathlib import Path

import numpy as np

from ..attribution.learning import Learning
from ..core.seeds import generator
from ..tokens.graphemes import shortened
from . import words
from .frame import write_page
from .plot import LEGEND, Json, axis, figure, line
from .words import THIN, smart

_POINTS, _ENDS = 4000, 200  # rows drawn on the map: by lot where there are more, and at the hard and ambiguous ends
_LONGEST = 400  # characters of a text shown
_LISTS = {
    "hard": ("Hard to learn", "the lowest confidence first", "the largest mean error first"),
    "ambiguous": ("Ambiguous", "the highest variability first", "the largest variability of the error first"),
    "easy": ("Easy to learn", "the highest confidence first", "the smallest mean error first"),
}


def write_learning(found: Learning, lists: dict[str, list[Json]], record: Json, run: Path, path: Path) -> Path:
    """Write the page of ``found`` and return its path. ``lists``: rows with their texts, as ``api.Learning`` has them.

    Raises:
        RecordError: the page cannot be written.
    """
    labelled = found.right is not None
    figures = {"map": _map(found), "when": _when(found) if labelled else _errors(found)}
    config = record.get("config") or {}
    context = {
        "name": f"Learning of {run.resolve().name}",
        "facts": [words.smart(config[key]) for key in ("model", "loss", "optimizer") if config.get(key) is not None],
        "found": found,
        "labelled": labelled,
        "sentence": sentence(found),
        "ended": _ended(found),
        "figures": figures,
        "drawn": min(len(found.rows), _POINTS),
        "count": len(found.rows),
        "lists": [(name, title, of_labels if labelled else of_numbers, [_row(row) for row in lists[name]])
                  for name, (title, of_labels, of_numbers) in _LISTS.items()],
    }  # fmt: skip
    return write_page("learning.html", context, path)


def sentence(found: Learning) -> str:
    """What the looks saw, in words."""
    rows, looks = len(found.rows), f"{len(found.epochs)} looks over {_epoch(found.epochs[-1])}"
    learned, forgotten, right = found.learned, found.forgotten, found.right
    if learned is None or forgotten is None or right is None:
        first, last = (float(np.median(found.course[number])) for number in (0, -1))
        return f"Of {rows:,} training rows the median squared error fell from {first:.3g} to {last:.3g} in {looks}."
    share = [int(some.sum()) for some in (right.all(0), forgotten > 0, ~right.any(0), np.isnan(learned))]
    counts = [f"{count:,} ({count / rows:.1%})" for count in share]
    return (
        f"Of {rows:,} training rows {counts[0]} were right at each of {looks}, {counts[1]} were forgotten at least once, "
        f"{counts[2]} were never right, and {counts[3]} were wrong at the end."
    )


def _ended(found: Learning) -> str:
    """Whether this is the run's own training."""
    which = " It is the second of the fit's two trainings, on training and validation rows." if found.second else ""
    if found.exact:
        return f"Training was repeated from the run's record and ended in the saved model, bit for bit.{which}"
    off = f"by up to {found.off:.3g}" if np.isfinite(found.off) else "even in their number"
    return (
        f"Training was repeated from the run's record, and its weights differ from the saved model's {off}: rounding depends on "
        f"the machine and the versions. What is shown is of the repeated training.{which}"
    )


def _map(found: Learning) -> Json:
    """Confidence by variability of each row, coloured by how often it was right."""
    places = np.arange(len(found.rows))
    if len(places) > _POINTS:
        drawn = generator(0, "map").choice(places, _POINTS, replace=False)
        places = np.unique(np.concatenate([drawn, found.hard(_ENDS), found.ambiguous(_ENDS)]))
    mean, spread = found.mean[places], found.spread[places]
    labels = [html.escape(_label(found.labels[place])) for place in places.tolist()]
    marker: Json = {"size": 6, "opacity": 0.65, "color": "@accent"}
    if found.correctness is not None and found.forgotten is not None:
        marker |= {
            "color": np.round(found.correctness[places], 3).tolist(), "cmin": 0, "cmax": 1,
            "colorscale": [[0, "@bad"], [0.5, "@unsure"], [1, "@accent"]],
            "colorbar": {
                "title": {"text": "right at", "font": {"color": "@muted", "size": 12}}, "tickformat": ".0%", "thickness": 10,
                "tickfont": {"color": "@muted", "size": 11}, "outlinewidth": 0, "nticks": 3,
            },
        }  # fmt: skip
        forgotten = found.forgotten[places].tolist()
        about = [f"{label}, forgotten {count} times" if count else label for label, count in zip(labels, forgotten, strict=True)]
        axes = {"xaxis": axis("variability"), "yaxis": axis("confidence", range=[-0.03, 1.03])}
    else:
        about = labels
        axes = {"xaxis": axis("variability of the squared error", type="log", exponentformat="power"),
                "yaxis": axis("mean squared error", type="log", exponentformat="power")}  # fmt: skip
        mean, spread = np.maximum(mean, 1e-12), np.maximum(spread, 1e-12)
    trace = {
        "type": "scatter", "mode": "markers", "x": _digits(spread), "y": _digits(mean), "marker": marker,
        "customdata": [[int(row), what] for row, what in zip(found.rows[places], about, strict=True)],
        "hovertemplate": "row %{customdata[0]:,}, %{customdata[1]}: %{y:.3g}, varies by %{x:.3g}<extra></extra>",
    }  # fmt: skip
    return figure([trace], height=520, showlegend=False, **axes)


def _when(found: Learning) -> Json:
    """How many rows were first right, and right from then on, at each look; and how many never."""
    assert found.first_learned is not None
    assert found.learned is not None
    names = [_epoch_name(epoch) for epoch in found.epochs.tolist()] + ["not"]
    traces = []
    for name, epochs, color in (
        ("first right", found.first_learned, "@accent-faint"),
        ("right to the end", found.learned, "@accent"),
    ):
        at = np.where(np.isnan(epochs), len(found.epochs), np.searchsorted(found.epochs, epochs))
        counts = np.bincount(at.astype(np.int64), minlength=len(names)).tolist()
        traces.append({
            "type": "bar", "name": name, "x": names, "y": counts, "marker": {"color": color},
            "hovertemplate": f"{name}, epoch %{{x}}: %{{y:,}} rows<extra></extra>",
        })  # fmt: skip
    across = axis("epoch", type="category", showgrid=False, tickangle=0, nticks=10)
    return figure(
        traces, height=380, barmode="group", bargap=0.25, legend=LEGEND, xaxis=across, yaxis=axis("rows", rangemode="tozero")
    )


def _errors(found: Learning) -> Json:
    """Quantiles of the rows' squared errors at each look."""
    traces = []
    for name, share, color in (
        ("nine in ten below", 0.9, "@second"),
        ("median", 0.5, "@accent"),
        ("one in ten below", 0.1, "@good"),
    ):
        values = np.maximum(np.quantile(found.course, share, 1), 1e-12)
        traces.append(
            line(list(zip(found.epochs.tolist(), values.tolist(), strict=True)), name, color=color, width=2.2, marked=True)
        )
    scale = axis("squared error", type="log", exponentformat="power")
    return figure(traces, height=380, legend=LEGEND, xaxis=axis("epoch"), yaxis=scale)


def _row(row: Json) -> Json:
    text = row["text"]
    epochs = {name: "never" if row.get(name) is None else _epoch_name(row[name]) for name in ("first_learned", "learned")}
    return {
        "text": shortened(text, _LONGEST),
        "place": row["place"],
        "label": _label(row["label"]),
        "mean": f"{row['mean']:.3g}",
        "spread": f"{row['spread']:.3g}",
        "correctness": "" if row.get("correctness") is None else f"{100 * row['correctness']:.0f}{THIN}%",
        "forgotten": smart(row.get("forgotten")),
        "el2n": "" if row.get("el2n") is None else f"{row['el2n']:.2f}",
        **epochs,
    }


def _label(label: object) -> str:
    return smart(list(label) if isinstance(label, tuple) else label)


def _epoch(epoch: float) -> str:
    return f"{_epoch_name(epoch)} epoch{'' if epoch == 1 else 's'}"


def _epoch_name(epoch: float) -> str:
    return f"{epoch:.2f}".rstrip("0").rstrip(".")


def _digits(values: np.ndarray) -> list[float]:
    """Four digits of each: a page of thousands of points is read by eye."""
    return [float(f"{value:.4g}") for value in values.tolist()]
