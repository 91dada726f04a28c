"""From a run's record to one self-contained HTML file."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from jinja2 import UndefinedError

from .. import record
from ..core.errors import RecordError
from . import against as against_page
from . import by_language, by_threshold, charts, cuts, fused, health_charts, language, went_on, words
from .comparison import write_comparison
from .frame import write_page
from .metric_rows import metric_row, scaled, unscaled
from .words import Json


def write(run_dir: Path | str, summary: Json | None = None, *, against: Json | None = None) -> Path:
    """Write ``report.html`` into the run directory from ``run.json`` (or its future content, ``summary``) and ``log.jsonl``, and
    return its path. ``against``: what ``lossworks.against`` says of the run and one before it, which becomes a section.

    Raises:
        RecordError: the record cannot be read, was not written by ``fit`` or ``compare``, or the page cannot be written.
    """
    run = record.Run(run_dir)
    summary, events = run.summary if summary is None else summary, run.events()
    name = run.path.resolve().name
    try:
        if summary.get("kind") == "comparison":
            return write_comparison(name, summary, run.path / "report.html")
        if "fused" in (summary.get("result") or {}):
            return write_page("fused.html", fused.context(name, summary), run.path / "report.html")
        is_language = summary.get("task") == "lm"
        context = (language.context if is_language else _context)(name, summary, events)
        context["against"] = None if against is None else _against(context, against, summary, events)
        return write_page("language.html" if is_language else "page.html", context, run.path / "report.html")
    except (ArithmeticError, AttributeError, IndexError, KeyError, TypeError, ValueError, UndefinedError) as error:
        place, what = run.path / "run.json", f"{type(error).__name__}: {error}"
        raise RecordError(f"{place} holds a record from which no report can be made ({what}). Fit again.") from error


def _context(name: str, summary: Json, events: list[Json]) -> Json:
    result: Json = summary.get("result") or {}
    data: Json = summary.get("data") or {}
    return {
        "name": name,
        "run": summary,
        "result": result,
        "data": data,
        "verdict": words.verdict(summary),
        "facts": words.facts(summary, _SHOWN),
        "went_on": went_on.sentences(summary),
        "metrics": [metric_row(key, result) for key in result.get("metrics", {})],
        "scaled": scaled(result),
        "unscaled": unscaled(result),
        "languages": by_language.context(result),
        "figures": _figures(summary, result, events),
        "validations": _validations(events),
        "health": _health(events),
        "spikes": health_charts.spikes(events),
        "search": _search(result),
        "judged_by": words.NAMES.get(str(result.get("judged_by")), (None,))[0],
        "cuts": cuts.sentence(summary),
        "by_threshold": by_threshold.context(result),
        "counts": _counts(data),
        "labels": summary.get("labels") or [],
        "versions": {"lossworks": summary.get("lossworks"), **(summary.get("versions") or {})},
    }


def _against(context: Json, found: Json, summary: Json, events: list[Json]) -> Json:
    """The section of the run before; its curves go among the ``context``'s figures."""
    before = record.Run(found["against"])
    told = against_page.context(found, [before.summary, summary])
    watched = "nll" if summary.get("task") == "lm" else _watched(summary, events)
    if drawn := against_page.curves(watched, before.events(), events, told["same_loss"]):
        context["figures"]["against"] = drawn
    return told


_SHOWN = {"model": "model", "loss": "loss", "optimizer": ""}


def facts(summary: Json) -> list[str]:
    """The known facts about a fit in progress."""
    return words.facts(summary, language.SHOWN if summary.get("task") == "lm" else _SHOWN)[:-1]


def live_figures(summary: Json, events: list[Json]) -> dict[str, Json]:
    """The charts of a fit in progress."""
    return language.figures(events) if summary.get("task") == "lm" else _figures(summary, {}, events)


def _figures(summary: Json, result: Json, events: list[Json]) -> dict[str, Json]:
    """The charts for which there is data, by their id in the page."""
    watched = _watched(summary, events)
    title = words.NAMES[watched][0].lower()
    found: dict[str, Json | None] = {
        "loss": charts.loss_curve(events),
        "metric": charts.metric_curve(events, watched, f"validation {title}", result.get("best_epoch")),
    }
    clip = (summary.get("config") or {}).get("clip")
    found |= {
        "rate": health_charts.schedule(events),
        "gradient": health_charts.gradient_norm(events, clip),
        "update_ratios": health_charts.update_ratios(events),
        "clipped": health_charts.clipped(events),
    }
    if search := _search(result):
        found["search"] = health_charts.search(search["trials"], search["chosen"], search["title"].lower())
    found["by-language"] = by_language.chart(result)
    if result.get("confusion"):
        found["confusion"] = charts.confusion(result["confusion"], summary["labels"])
    if result.get("reliability"):
        bins = result["reliability"]
        found["reliability"] = charts.reliability(bins["before"], bins["after"], scaled(result))
    if drawn := by_threshold.chart(result):
        found["precision-recall"] = drawn
    if result.get("scatter"):
        found["scatter"] = charts.scatter(result["scatter"])
    return {name: figure for name, figure in found.items() if figure}


def _watched(summary: Json, events: list[Json]) -> str:
    """The metric that the best epoch was chosen by."""
    if asked := (summary.get("config") or {}).get("stop_by"):
        return str(asked)
    known = ("divergence", "weighted_nll", "mse", "mrr")
    return next((name for name in known if any(name in event for event in events)), "nll")


def _validations(events: list[Json]) -> Json:
    """The validation events as a table."""
    rows = [{k: v for k, v in e.items() if k not in ("event", "time")} for e in events if e["event"] == "valid"]
    columns = list(rows[0]) if rows else []
    return {"columns": columns, "rows": [[row.get(column) for column in columns] for row in rows]}


def _health(events: list[Json]) -> list[list[str]]:
    """The training health as a table: first, median, highest and last value of each measure."""
    measures = {"Gradient norm": health_charts.logged(events, "gradient_norm")}
    roles = dict.fromkeys(role for _, ratios in health_charts.logged(events, "moved") for role in ratios)  # type: ignore[attr-defined]
    measures |= {f"Update ratio: {role}": health_charts.update_ratio(events, role) for role in roles}
    measures["Steps clipped"] = health_charts.logged(events, "clipped")
    rows = []
    for name, points in measures.items():
        values = [value for _, value in points]
        if values:
            shown = (values[0], median(values), max(values), values[-1])
            percent = name == "Steps clipped"
            rows.append([name, *(words.number("accuracy", value) if percent else f"{value:.3g}" for value in shown)])
    return rows


def _search(result: Json) -> Json | None:
    """The learning-rate search, its trials by rate."""
    found = result.get("lr_search")
    if not found:
        return None
    title = words.NAMES.get(found["metric"], (found["metric"], ""))[0]
    return {"title": title, "chosen": found["chosen"], "trials": sorted(found["trials"], key=lambda trial: trial["lr"])}


def _counts(data: Json) -> list[Json]:
    """Texts per label, the most frequent first, each with its share of the most frequent one."""
    counts = data.get("label_counts") or {}
    most = max(counts.values(), default=1) or 1
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    return [{"label": label, "count": count, "share": round(100 * count / most, 1)} for label, count in ranked]
