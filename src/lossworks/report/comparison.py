"""The page of a comparison: the verdict first, then what it rests on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from . import comparison_charts as charts
from . import words
from .comparison_rows import MARKS, behind, grid, number, signed
from .frame import write_page
from .words import THIN, Json

_SIZES = (
    "Probabilities are those that the models state, uncalibrated. Each text or segment counts by its size, so the mean over them "
    "is the figure of the whole part."
)
_ORDER = ("better", "equivalent", "no difference shown", "worse", "not enough to say")


def write_comparison(name: str, summary: Json, path: Path) -> Path:
    """Write the page of the comparison that ``summary`` tells of, and return its path.

    Raises:
        RecordError: the page cannot be written.
    """
    result = summary.get("result")
    figures = {} if result is None else {
        "differences": charts.differences(result), "rates": charts.rates(result), "curves": charts.curves(result),
        "time": charts.time_and_quality(result), "seconds": charts.curves(result, by_time=True),
        "calibration": charts.calibration(result),
    }  # fmt: skip
    context = {
        "name": name,
        "run": summary,
        "result": result,
        "facts": _facts(summary),
        "verdict": verdict(summary),
        "figures": {key: figure for key, figure in figures.items() if figure},
        "rows": [] if result is None else [_row(arm, result) for arm in result["arms"]],
        "grid": None if result is None else _grid(result),
        "few": result is not None and len(result["arms"]) > charts.MOST,
        "behind": None if result is None else behind(summary),
        "steps": steps(summary),
        "language": summary.get("task") == "lm",
        "rows_are": rows_are(result or {}),
        "mixed": len({arm.get("tokens") for arm in (summary.get("protocol") or {}).get("arms", [])}) > 1,
        "doubled": result is not None and any(arm["verdict"]["without_duplicates"] is not None for arm in result["arms"]),
        "diverged": [] if result is None else _diverged(result),
        "versions": {"lossworks": summary.get("lossworks"), **(summary.get("versions") or {})},
    }
    return write_page("comparison.html", context, path)


def verdict(summary: Json) -> words.Verdict:
    """How many arms are what, and of how much was looked at."""
    result = summary.get("result")
    if result is None:
        again = "The same command with --resume goes on with it; what had finished is kept."
        return words.Verdict("unsure", "Not finished", f"There is no verdict yet. {again}")
    counts = Counter(arm["verdict"]["word"] for arm in result["arms"][1:])
    told = {"no difference shown": "with no difference shown", "not enough to say": "with not enough to say"}
    parts = [f"{counts[word]} {told.get(word, word)}" for word in _ORDER if counts[word]]
    baseline = result["arms"][0]["name"]
    sentence = (
        f"Of {len(result['arms']) - 1} arms against the baseline {baseline!r}, by {result['metric']} on {result['test_rows']:,} "
        f"{rows_are(result)} and {result['done']} of {result['of']} trainings. {_best(result)}The chance to call any arm "
        f"different that is none is at most {100 * result['level']:.0f}{THIN}% for all arms together."
    )
    shown = counts["worse"] + counts["equivalent"]
    tone = "good" if counts["better"] else "plain" if shown else "unsure"
    headline = ", ".join(parts).capitalize() if len(counts) > 1 else f"{next(iter(counts)).capitalize()}: {_all(counts)}"
    return words.Verdict(tone, headline, sentence)


def _best(result: Json) -> str:
    """The arm with the best mean, by its name."""
    known = [arm for arm in result["arms"] if arm["value"] is not None]
    if len(known) < 2 or known[0] is not result["arms"][0]:
        return ""
    best = (max if result["rising"] else min)(known, key=lambda arm: arm["value"])
    if best is known[0]:
        return f"The best mean is the baseline's, {number(best['value'])}. "
    return f"The best mean is that of {best['name']!r}, {number(best['value'])} to the baseline's {number(known[0]['value'])}. "


def _all(counts: Counter[str]) -> str:
    arms = counts.total()
    return {1: "the one arm", 2: "both arms"}.get(arms, f"all {arms} arms") + " against the baseline"


def rows_are(result: Json) -> str:
    """What the rows of figures are called."""
    return str(result.get("rows_are", "test rows"))  # no part of the records of earlier comparisons


def steps(summary: Json) -> list[str]:
    """The protocol, as it was carried out."""
    protocol, result = summary["protocol"], summary.get("result") or {}
    language, rows = summary["task"] == "lm", rows_are(result)
    said = [
        _split(summary),
        _tuning(summary),
        f"Every arm was then trained anew with {protocol['seeds']} seeds ({_seeds(protocol)}), the same for all: the same first "
        "weights where the shapes allow, and the rows in the same order. Each ran to the end of its schedule, and the weights "
        "are those it ended with.",
        "The test part was looked at once, at the end. "
        + (_SIZES if language else "Probabilities are calibrated by a temperature from the validation rows, as fit does."),
        f"Differences are paired, by seed and over the {rows}. Their intervals hold both sources of chance, the seeds and the "
        f"{rows} (a two-way layout; the half width is that of Banerjee 1960). p is the interval's, corrected over the arms by "
        "Holm's method. A permutation test, which flips signs of seeds, rows and their interaction and asks for no normal "
        "distribution, must not contradict it: its p must be 5 % at most, or the smallest that so few seeds can give.",
        "A training that diverged counts as the answer that never reads the text, and its arm is never called better.",
    ]
    if result.get("margin"):
        said.append("Equivalent means that both of two one-sided tests at the margin's ends reject, after Holm's correction.")
    return said


def _split(summary: Json) -> str:
    """How the data was divided, in rows or in tokens."""
    data, seed = summary["data"], summary["protocol"]["split_seed"]
    if "tokens" not in data:
        parts = data["parts"]
        told = f"{parts['train']:,} rows to train, {parts['valid']:,} to validate, {parts['test']:,} to test"
        return f"The data was split once, with seed {seed}: {told}. {_doubles(summary['duplicates'])}"
    tokens = data["tokens"]
    told = f"{tokens['train']:,} tokens to train on, {tokens['valid']:,} to validate, {tokens['test']:,} to test"
    if data["units"] == "texts":
        return f"The texts were divided once, with seed {seed}: {told}. {_doubles(summary['duplicates'])}"
    return f"The text was divided once, at two places: {told}, the last in {data['units']} of as many characters."


def _doubles(doubles: Json) -> str:
    exact, near = doubles["exact"], doubles["near"]
    if not any([*exact.values(), *near.values()]):
        return "No held-out text stands among the training texts, word for word or nearly."
    told = [
        f"{exact[part]:,} {name} rows word for word, {near[part]:,} nearly"
        for part, name in (("test", "test"), ("valid", "validation"))
    ]
    return f"Held-out texts that stand among the training texts too: {'; '.join(told)}."


def _tuning(summary: Json) -> str:
    protocol = summary["protocol"]
    if not protocol["trials"]:
        return "Nothing was tuned: the learning rates are those given."
    score = "nats a token" if summary["task"] == "lm" else "calibrated log loss, or squared error"
    return (
        f"Of every arm {' and '.join(protocol['tune'])} was tuned with {protocol['trials']} trials, judged by the validation "
        f"part's proper score ({score}) at the end of the schedule, never by the training loss: two "
        "thirds of them spread over the range, the rest around the best of those."
    )


def _seeds(protocol: Json) -> str:
    first = protocol["split_seed"] + 1
    return f"{first} to {first + protocol['seeds'] - 1}" if protocol["seeds"] > 1 else str(first)


def _facts(summary: Json) -> list[str]:
    protocol = summary.get("protocol") or {}
    facts = (
        [f"{len(protocol['arms'])} arms", f"{protocol['seeds']} seeds", f"{protocol['trials']} trials an arm"] if protocol else []
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


def _grid(result: Json) -> Json | None:
    """The means of all arms at a glance."""
    found = grid(result)
    if found is None:
        return None
    cells = [[_cell(arm, arm["verdict"]) for arm in row] for row in found["cells"]]
    return {**found, "rows": list(zip(found["rows"], cells, strict=True))}


def _cell(arm: Json, found: Json) -> Json:
    mean = "–" if arm["value"] is None else f"{arm['value']:#.4g}"
    return {"mean": mean, "word": found["word"], "mark": MARKS.get(found["word"], ""), "diverged": len(found["diverged"])}


def _diverged(result: Json) -> list[Json]:
    """Every training that diverged, the trials too."""
    found = []
    for arm in result["arms"]:
        for trial in arm["tuning"]["trials"]:
            if trial["note"]:
                at = ", ".join(f"{name} {value:.4g}" for name, value in trial.items() if name not in ("score", "note", "seconds"))
                found.append({"arm": arm["name"], "what": f"trial at {at}", "note": trial["note"]})
        found += [{"arm": arm["name"], "what": f"seed {run['seed']}", "note": run["note"]} for run in arm["seeds"] if run["note"]]
    return found
