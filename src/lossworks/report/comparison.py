"""The page of a comparison: the verdict, then the evidence."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from . import comparison_charts as charts
from . import words
from .by_language import pairs
from .comparison_method import steps
from .comparison_next import next_step, rates_alike
from .comparison_rows import MARKS, beside_counts, diagnostics, grid, number, rows_are, signed
from .frame import write_page
from .words import THIN, Json

_ORDER = ("better", "equivalent", "no difference shown", "worse", "not enough to say")


def write_comparison(name: str, summary: Json, path: Path) -> Path:
    """Write the page of the comparison with the record ``summary``, and return its path.

    Raises:
        RecordError: the page cannot be written.
    """
    result = summary.get("result")
    figures = {} if result is None else {
        "differences": charts.differences(result), "rates": charts.rates(result), "curves": charts.curves(result),
        "time": charts.time_and_quality(result), "seconds": charts.curves(result, by_time=True),
        "calibration": charts.calibration(result),
    }  # fmt: skip
    told = [] if result is None else pairs(result.get("by_language"), rising=result["rising"])
    figures |= {one["id"]: one["figure"] for one in told if one["figure"]["data"]}
    context = {
        "name": name,
        "run": summary,
        "result": result,
        "facts": _facts(summary),
        "verdict": verdict(summary),
        "next": None if result is None else next_step(summary, path.parent),
        "alike": "" if result is None else rates_alike(result),
        "figures": {key: figure for key, figure in figures.items() if figure},
        "rows": [] if result is None else [_row(arm, result) for arm in result["arms"]],
        "knowledge": [_claim(one) for one in (result or {}).get("knowledge", [])],  # missing in earlier records
        "grid": None if result is None else _grid(result),
        "few": result is not None and len(result["arms"]) > charts.MOST,
        "beside_counts": "" if result is None else beside_counts(result),
        "diagnostics": None if result is None else diagnostics(summary),
        "by_language": told,
        "steps": steps(summary),
        "language": summary.get("task") == "lm",
        "rows_are": rows_are(result or {}),
        "mixed": len({arm.get("tokenizer", arm.get("tokens")) for arm in (summary.get("protocol") or {}).get("arms", [])}) > 1,
        "doubled": result is not None and any(arm["verdict"]["without_duplicates"] is not None for arm in result["arms"]),
        "diverged": [] if result is None else _diverged(result),
        "versions": {"lossworks": summary.get("lossworks"), **(summary.get("versions") or {})},
    }
    return write_page("comparison.html", context, path)


def verdict(summary: Json) -> words.Verdict:
    """How many arms have which verdict, and on how much evidence."""
    result = summary.get("result")
    if result is None:
        resume = "The same command with --resume continues it; finished runs are kept."
        return words.Verdict("unsure", "Not finished", f"There is no verdict yet. {resume}")
    counts = Counter(arm["verdict"]["word"] for arm in result["arms"][1:])
    phrases = {"no difference shown": "with no difference shown", "not enough to say": "with not enough to say"}
    parts = [f"{counts[word]} {phrases.get(word, word)}" for word in _ORDER if counts[word]]
    baseline = result["arms"][0]["name"]
    others = result["arms"][1:]
    which = repr(others[0]["name"]) if len(others) == 1 else f"{len(others)} arms"
    kept = "" if counts["better"] else f"Nothing here speaks for leaving {baseline!r}. "
    sentence = (
        f"{which} against the baseline {baseline!r}, by {result['metric']} on {result['test_rows']:,} {rows_are(result)}, "
        f"{result['done']} of {result['of']} runs. {_best(result)}{kept}The family-wise error rate is at most "
        f"{100 * result['level']:.0f}{THIN}%."
    )
    shown = counts["worse"] + counts["equivalent"]
    tone = "good" if counts["better"] else "plain" if shown else "unsure"
    headline = ", ".join(parts).capitalize() if len(counts) > 1 else f"{next(iter(counts)).capitalize()}: {_all(counts)}"
    return words.Verdict(tone, headline, sentence)


def mean_of(result: Json, arm: Json) -> str:
    """An arm's mean over its seeds, as a sentence and a space; empty where no seed ended well."""
    if arm["value"] is None:
        return ""
    known = [seed for seed in arm["seeds"] if seed["value"] is not None]
    tuned = arm["tuning"]
    chosen = ", ".join(f"{name} {value:.3g}" for name, value in (tuned["chosen"] or {}).items())
    of = f", with {chosen} of {words.counted(len(tuned['trials']), 'trial')}" if chosen and tuned["trials"] else ""
    return f"{result['metric']} {number(arm['value'])}, the mean of {words.counted(len(known), 'seed')}{of}. "


def _best(result: Json) -> str:
    """Which arm has the best mean."""
    known = [arm for arm in result["arms"] if arm["value"] is not None]
    if len(known) < 2 or known[0] is not result["arms"][0]:
        return ""
    best = (max if result["rising"] else min)(known, key=lambda arm: arm["value"])
    if best is known[0]:
        return f"The baseline has the best mean, {number(best['value'])}. "
    return f"{best['name']!r} has the best mean, {number(best['value'])}; the baseline's is {number(known[0]['value'])}. "


def _all(counts: Counter[str]) -> str:
    arms = counts.total()
    return {1: "one arm", 2: "both arms"}.get(arms, f"all {arms} arms") + " against the baseline"


def _facts(summary: Json) -> list[str]:
    protocol = summary.get("protocol") or {}
    facts = (
        [f"{len(protocol['arms'])} arms", f"{protocol['seeds']} seeds", f"{protocol['trials']} trials per arm"]
        if protocol
        else []
    )
    return [*facts, str(summary.get("status"))]


def _row(arm: Json, result: Json) -> Json:
    found = arm["verdict"]
    interval = "–" if found["low"] is None else f"{signed(found['low'])} to {signed(found['high'])}"
    equal = arm["at_equal_seconds"]
    return {
        "name": arm["name"],
        "word": found["word"],
        "sentence": found["sentence"],
        "mean": number(arm["value"]),
        "error": number(arm["standard_error"]),
        "difference": signed(found["value"]),
        "interval": interval,
        "p": "–" if found["p_holm"] is None else f"{found['p_holm']:.2g}",
        "min_detectable": number(found["min_detectable"]),
        "without": signed(found["without_duplicates"]),
        "share": "–" if not found["shares"] else f"{100 * found['shares']['seeds']:.0f}{THIN}%",
        "lr": "–" if arm["tuning"]["lr"] is None else f"{arm['tuning']['lr']:.4g}",
        "at_end": arm["tuning"]["at_end"],
        "chosen": {key: value for key, value in (arm["tuning"]["chosen"] or {}).items() if key != "lr"},
        "seconds": "–" if arm["seconds"] is None else words.duration(arm["seconds"]),
        "texts": "–" if arm["texts"] is None else f"{arm['texts']:,}",
        "equal": "–" if equal is None else f"{equal['score']:.4g} (epoch {equal['epoch']:.3g})",
        "metrics": {name: number(value) for name, value in arm["metrics"].items()},
        "seeds": len(arm["seeds"]),
        "diverged": len(found["diverged"]),
    }


def _claim(found: Json) -> Json:
    """The verdict on a source of knowledge, and its checks."""
    checks = [
        {
            **check,
            "value": signed(check["value"]),
            "interval": f"{signed(check['low'])} to {signed(check['high'])}",
            "p": f"{check['p']:.2g}",
        }
        for check in found["checks"]
    ]
    return {**found, "checks": checks, "tone": {"helps": "better"}.get(found["word"], "no-difference-shown")}


def _grid(result: Json) -> Json | None:
    """The means of all arms as a grid."""
    found = grid(result)
    if found is None:
        return None
    cells = [[_cell(arm, arm["verdict"]) for arm in row] for row in found["cells"]]
    return {**found, "rows": list(zip(found["rows"], cells, strict=True))}


def _cell(arm: Json, found: Json) -> Json:
    mean = "–" if arm["value"] is None else f"{arm['value']:#.4g}"
    return {"mean": mean, "word": found["word"], "mark": MARKS.get(found["word"], ""), "diverged": len(found["diverged"])}


def _diverged(result: Json) -> list[Json]:
    """Every diverged run, including trials."""
    found = []
    for arm in result["arms"]:
        for trial in arm["tuning"]["trials"]:
            if trial["note"]:
                at = ", ".join(f"{name} {value:.4g}" for name, value in trial.items() if name not in ("score", "note", "seconds"))
                found.append({"arm": arm["name"], "what": f"trial at {at}", "note": trial["note"]})
        found += [{"arm": arm["name"], "what": f"seed {run['seed']}", "note": run["note"]} for run in arm["seeds"] if run["note"]]
    return found
