"""What the numbers say, in plain sentences."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

Json = dict[str, Any]
THIN = "\u202f"  # narrow no-break space, between a number and its sign
PERCENT = {"accuracy", "subset_accuracy", "unknown_rate"}
SURPRISAL = {"nats_per_token", "perplexity", "bits_per_byte", "unknown_rate"}
FALLING = {"nll", "brier", "ece", "mse", "rmse", "mae", *SURPRISAL}  # the smaller the better

NAMES = {
    "accuracy": ("Accuracy", "share of texts given the right label"),
    "macro_f1": ("Macro-F1", "mean F1 of the labels, each counting the same"),
    "micro_f1": ("Micro-F1", "F1 of all yes-or-no decisions together"),
    "subset_accuracy": ("Exact match", "share of texts with every label right"),
    "nll": ("Log loss", "surprise at the truth, in nats per text"),
    "brier": ("Brier score", "squared error of the probabilities, summed over labels"),
    "ece": ("Calibration error", "how far stated confidence is from the share right (ECE)"),
    "mse": ("Mean squared error", "in squared units of the target"),
    "rmse": ("Root mean squared error", "in units of the target"),
    "mae": ("Mean absolute error", "in units of the target"),
    "nats_per_token": ("Log loss", "surprise at the next token, in nats per token"),
    "perplexity": ("Perplexity", "as if so many tokens were equally likely next"),
    "bits_per_byte": ("Bits per byte", "what a byte of the text would take, packed by the model"),
    "unknown_rate": ("Unknown tokens", "share of tokens that training had not seen"),
    "r2": ("R²", "share of the target's variance explained"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The headline ("good", "unsure", "bad" or "plain" in ``tone``), and one or two sentences that back it."""

    tone: str
    headline: str
    sentence: str


def verdict(summary: Json) -> Verdict:
    """What the run shows about the model, and no more than that."""
    result = summary.get("result")
    if not result:
        return _unfinished(str(summary.get("status")))
    if "metrics" not in result:
        return Verdict("unsure", "Not tested", f"{str(result['note']).capitalize()}.")
    main = {"classify": "accuracy", "multilabel": "micro_f1", "regress": "mae"}[summary["task"]]
    metric, floor = result["metrics"][main], result["baseline"]["metrics"][main]["value"]
    low, high = metric["low"], metric["high"]
    if main in FALLING:
        better, worse = high is not None and high < floor, low is not None and low > floor
    else:
        better, worse = low is not None and low > floor, high is not None and high < floor
    claim, rival = {
        "accuracy": ("is right {} of the time", "would be right {}"),
        "micro_f1": ("reaches a micro-F1 of {}", "would reach {}"),
        "mae": ("is off by {} on average", "would be off by {}"),
    }[main]
    part = "held-out" if result["part"] == "test" else result["part"]
    count = f"{result['rows']:,} {part} text{'' if result['rows'] == 1 else 's'}"
    sentence = (
        f"On {count} the model {claim.format(number(main, metric['value']))} (95{THIN}% interval "
        f"{interval(main, metric)}); always answering with the {result['baseline']['name']} "
        f"{rival.format(number(main, floor))}."
    )
    if better:
        return Verdict("good", "Better than the baseline", sentence)
    if worse:
        return Verdict("bad", "Worse than the baseline", sentence + " The model does worse than not reading the text.")
    doubt = " The interval does not clear the baseline: the model is not shown to be better than it."
    return Verdict("unsure", "Not shown to be better than the baseline", sentence + doubt)


def _unfinished(status: str) -> Verdict:
    again = "The same command with --resume continues from the last checkpoint."
    return {
        "diverged": Verdict(
            "bad",
            "The run diverged",
            "The loss stopped being a finite number, so training ended before that update was made, and there is no "
            "result. A lower learning rate is the first thing to try.",
        ),
        "interrupted": Verdict("unsure", "The run was interrupted", f"There is no result yet. {again}"),
    }.get(status, Verdict("unsure", "The run has not finished", f"There is no result yet. {again}"))


def facts(summary: Json, shown: dict[str, str]) -> list[str]:
    """The few things about a run that belong under its name; ``shown``: settings, and the word that follows each."""
    config, result = summary.get("config") or {}, summary.get("result") or {}
    told = [f"{smart(config[key])} {word}".strip() for key, word in shown.items() if config.get(key) is not None]
    if result.get("seconds") is not None:
        told.append(duration(result["seconds"]))
    if summary.get("created"):
        told.append(f"{datetime.fromisoformat(summary['created']):%-d %B %Y, %H:%M %Z}".strip())
    return [*told, str(summary.get("status"))]


def number(name: str, value: float | None) -> str:
    """One metric's value as a reader wants it: per cent for shares, three or four figures for the rest."""
    if value is None:
        return "–"
    if name in PERCENT:
        return f">99.9{THIN}%" if 0.9995 <= value < 1 else f"{100 * value:.1f}{THIN}%"
    text = f"{value:.3f}" if abs(value) < 100 else f"{value:,.4g}"
    return text.replace("-", "−")


def interval(name: str, metric: Json) -> str:
    """The two ends of an interval; an end that is not known is said to be so."""
    low, high = (number(name, metric[end]).removesuffix(f"{THIN}%") for end in ("low", "high"))
    if low == high == "–":
        return "not known from so few texts"
    return f"{low} to {high}"


def smart(value: Any) -> str:
    """Any setting or count as text."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {smart(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(smart, value)) or "none"
    return str(value)


def duration(seconds: float) -> str:
    """Seconds as "4.2 s", "3 min 20 s" or "2 h 5 min"."""
    if seconds < 60:
        return f"{seconds:.1f}{THIN}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{THIN}min {rest}{THIN}s"
    return f"{minutes // 60}{THIN}h {minutes % 60}{THIN}min"
