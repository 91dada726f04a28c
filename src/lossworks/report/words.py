"""Numbers, settings and verdicts as text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..core.wording import THIN as THIN
from ..core.wording import counted as counted
from ..core.wording import duration as duration
from ..core.wording import leaked_note

Json = dict[str, Any]
PERCENT = {"accuracy", "top_5_accuracy", "subset_accuracy", "unknown_rate"}
SURPRISAL = {"nats_per_token", "perplexity", "bits_per_byte", "unknown_rate"}
FALLING = {"nll", "divergence", "brier", "ece", "mse", "rmse", "mae", *SURPRISAL}  # the smaller the better

NAMES = {
    "accuracy": ("Accuracy", "share of texts with the correct label predicted"),
    "top_5_accuracy": ("Top-5 accuracy", "share of texts with the correct label among the five most probable"),
    "macro_f1": ("Macro-F1", "unweighted mean of the labels' F1"),
    "micro_f1": ("Micro-F1", "F1 over all label decisions pooled"),
    "subset_accuracy": ("Exact match", "share of texts with every label correct"),
    "nll": ("NLL", "negative log-likelihood of the true label, in nats per text"),
    "divergence": ("Divergence", "of the model from its teacher, in nats per text without a label"),
    "weighted_nll": ("Weighted NLL", "NLL with the class weights of the training loss"),
    "brier": ("Brier score", "squared error of the probabilities, summed over labels"),
    "ece": ("Calibration error", "distance between confidence and accuracy (ECE)"),
    "mse": ("Mean squared error", "in squared units of the target"),
    "rmse": ("Root mean squared error", "in units of the target"),
    "mae": ("Mean absolute error", "in units of the target"),
    "nats_per_token": ("Nats per token", "negative log-likelihood of the next token"),
    "perplexity": ("Perplexity", "effective number of equally likely next tokens"),
    "bits_per_byte": ("Bits per byte", "size of the text when compressed with the model"),
    "unknown_rate": ("Unknown tokens", "share of tokens outside the vocabulary"),
    "mrr": ("Mean reciprocal rank", "of the true entity among all that are not known to be true, ties in expectation"),
    "hits_at_1": ("Hits at 1", "share of queries whose true entity is ranked first"),
    "hits_at_3": ("Hits at 3", "share of queries whose true entity is among the first 3"),
    "hits_at_10": ("Hits at 10", "share of queries whose true entity is among the first 10"),
    "r2": ("R²", "share of the target's variance explained"),
}
LANGUAGE_NAMES = NAMES | {"accuracy": ("Accuracy", "share of next tokens predicted")}

RESUME = (
    "The same command with --resume completes it, from the last checkpoint or, where there is none, from the start; either way "
    "the result is bit-identical."
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A headline, one or two sentences that support it, and a ``tone``: "good", "unsure", "bad" or "plain"."""

    tone: str
    headline: str
    sentence: str


_MAIN = {"classify": "accuracy", "multilabel": "micro_f1", "regress": "mae", "lm": "bits_per_byte", "graph": "mrr"}
"""What verdicts are about, by task; with weighted classes, the macro-F1."""
_FEW_STEPS = 100  # with which a network has hardly been trained
_CLAIMS = {
    "accuracy": ("is correct {} of the time", "is correct {} of the time"),
    "macro_f1": ("reaches a macro-F1 of {}", "reaches {}"),
    "micro_f1": ("reaches a micro-F1 of {}", "reaches {}"),
    "mae": ("is off by {} on average", "is off by {}"),
    "bits_per_byte": ("reaches {} bits per byte", "reaches {}"),
    "mrr": ("reaches a mean reciprocal rank of {}", "reaches {}"),
}


def verdict(summary: Json) -> Verdict:
    """What the run shows about the model."""
    if untold := untested(summary):
        return untold
    result, language = summary["result"], summary["task"] == "lm"
    main = main_metric(summary)
    metric, floor = result["metrics"][main], result["baseline"]["metrics"][main]["value"]
    if metric["value"] is None:
        sentence = "A test text contains a token to which the model assigns probability 0, so its perplexity is infinite."
        return Verdict("bad", "Infinite perplexity", f"{sentence} Use smoothing that gives every token a probability above 0.")
    low, high = metric["low"], metric["high"]
    above, below = low is not None and low > floor, high is not None and high < floor
    better, worse = (below, above) if main in FALLING else (above, below)
    claim, rival = _CLAIMS[main]
    graph = summary["task"] == "graph"
    what = f"{'held-out' if result['part'] == 'test' else result['part']} {'text' if language else 'fact' if graph else 'row'}"
    name = result["baseline"]["name"]
    rival_name = f"a {name}" if language else f"ranking by {name}" if graph else f"always predicting the {name}"
    sentence = (
        f"On {rows_of(result, what)} the model {claim.format(number(main, metric['value']))} (95{THIN}% interval "
        f"{interval(main, metric)}); {rival_name} "
        f"{rival.format(number(main, floor))}."
    )
    if result["part"] == "test":
        sentence += _leaked(summary["data"], "text" if language else "row")
    tone, headline = "unsure", "Not shown to be better than the baseline"
    if better:
        tone, headline = "good", "Better than the baseline"
    elif worse:
        tone, headline = "bad", "Worse than the baseline"
        simple = "ignoring the context" if language else "counting" if graph else "a constant prediction"
        sentence += f" The model does worse than {simple}."
    else:
        sentence += " The interval includes the baseline, so the model is not shown to be better."
    beaten, told = beside_counts(result)
    sentence += f" {told}" * bool(told)
    if better and beaten:
        tone, headline = "unsure", f"{headline}, worse than a {result['ngram']['name']}"
    if better and (told := _worse_probabilities(result, main)):
        return Verdict("unsure", f"{headline}, with worse probabilities", f"{sentence} {told}")
    if told := _hardly_trained(summary, better):
        return Verdict("unsure" if better else tone, f"{headline}, and hardly trained", f"{sentence} {told}")
    return Verdict(tone, headline, sentence)


def _leaked(data: Json, noun: str) -> str:
    """That test rows stand among the training rows; runs of earlier versions do not say how many."""
    leaked = data.get("leaked")
    note = leaked_note({"test": leaked["test"]}, data["parts"], noun) if isinstance(leaked, dict) else ""
    return f" {note}, which flatters the model." if note else ""


def beside_counts(result: Json) -> tuple[bool, str]:
    """Whether a network is shown to be worse than an n-gram model of the same tokens, and both in words; empty without one."""
    rival = result.get("ngram") or {}  # nor has an earlier record
    if "metrics" not in rival:
        return False, ""
    apart, name = rival["difference"], rival["name"]
    low, high = apart["low"], apart["high"]
    worse, better = low is not None and low > 0, high is not None and high < 0
    said = number("bits_per_byte", rival["metrics"]["bits_per_byte"]["value"])
    sentence = f"A {name} counted on the same tokens reaches {said}, from which the network is not shown to differ."
    if worse or better:
        low, high = (low, high) if worse else (-high, -low)
        by, between = number("bits_per_byte", abs(apart["value"])), interval("bits_per_byte", {"low": low, "high": high})
        word, advice = ("worse", ": prefer --model ngram, or train on more text") if worse else ("better", "")
        sentence = f"A {name} counted on the same tokens reaches {said}; the network is {word} by {by} ({between}){advice}."
    return worse, sentence


def _worse_probabilities(result: Json, main: str) -> str:
    """That probabilities are worse than the baseline's where answers are better; empty where they are not."""
    own, floor = result["metrics"].get("nll"), result["baseline"]["metrics"].get("nll")
    if main == "nll" or not own or not floor or own["low"] is None or own["low"] <= floor["value"]:
        return ""
    return (
        f"Its probabilities are worse than the baseline's: nll {number('nll', own['value'])} against "
        f"{number('nll', floor['value'])}. Do not rely on them; a lower --lr may help."
    )


def _hardly_trained(summary: Json, better: bool) -> str:
    """That a network over tokens has hardly been trained, and what to do; empty where it has, or went by no steps."""
    training, model = summary["result"].get("training") or {}, str((summary.get("config") or {}).get("model"))
    if "passes" not in training or model.startswith("hf:"):  # nor has an earlier record; and others trained those before
        return ""
    steps, passes, scores = training["steps"], training["passes"], training["scores"]
    falling = not scores or scores[-1] == min(scores)
    if passes >= 1 and not (falling and (steps < _FEW_STEPS or not better)):
        return ""
    size, often = summary["data"]["vocabulary"], f"{passes:.2g} pass{'' if round(passes, 1) == 1 else 'es'}"
    fewer = f", or fewer different tokens than {size:,} (--tokenizer bpe:size=1000)" if size > 1000 else ""
    return (
        f"It has hardly been trained: {counted(steps, 'step')}, {often} over the training texts. Train it "
        f"longer (--minutes, --steps or --epochs), or have it learn less: a smaller model{fewer}."
    )


def rows_of(result: Json, what: str = "row") -> str:
    """How many rows figures are of; and of how many texts, where some recur and count as one in intervals."""
    rows: int = result["rows"]
    texts: int = result.get("texts", rows)
    count = counted(rows, what)
    return count if texts == rows else f"{count} ({counted(texts, 'different text')})"


def main_metric(summary: Json) -> str:
    """The metric that verdicts on a run are about."""
    weighted = (summary.get("config") or {}).get("class_weight") is not None
    return "macro_f1" if weighted else _MAIN[summary["task"]]


def untested(summary: Json) -> Verdict | None:
    """What a run without a result, or without a test, shows; None of one that was tested."""
    if result := summary.get("result"):
        return Verdict("unsure", "Not tested", f"{str(result['note']).capitalize()}.") if "note" in result else None
    return {
        "diverged": Verdict(
            "bad",
            "The run diverged",
            "The loss was no longer finite, so training stopped before that update, and there is no result. Try a lower learning "
            "rate first.",
        ),
        "failed": Verdict("bad", "The run failed", f"There is no result yet. {RESUME}"),
        "interrupted": Verdict("unsure", "The run was interrupted", f"There is no result yet. {RESUME}"),
    }.get(str(summary.get("status")), Verdict("unsure", "The run has not finished", f"There is no result yet. {RESUME}"))


def facts(summary: Json, shown: dict[str, str]) -> list[str]:
    """The facts under a run's name; ``shown``: settings, and the word that follows each."""
    config, result = summary.get("config") or {}, summary.get("result") or {}
    found = [f"{smart(config[key])} {word}".strip() for key, word in shown.items() if config.get(key) is not None]
    if result.get("seconds") is not None:
        found.append(duration(result["seconds"]))
    if summary.get("created"):
        found.append(f"{datetime.fromisoformat(summary['created']):%-d %B %Y, %H:%M %Z}".strip())
    return [*found, str(summary.get("status"))]


def number(name: str, value: float | None) -> str:
    """A metric's value: per cent for shares, three or four digits for the rest."""
    if value is None:
        return "–"
    if name in PERCENT:
        return f">99.9{THIN}%" if 0.9995 <= value < 1 else f"{100 * value:.1f}{THIN}%"
    text = f"{value:.3f}" if abs(value) < 100 else f"{value:,.4g}"
    return text.replace("-", "−")


def interval(name: str, metric: Json) -> str:
    """The two ends of an interval, or that there are none."""
    low, high = (number(name, metric[end]).removesuffix(f"{THIN}%") for end in ("low", "high"))
    if low == high == "–":
        return "unknown: too few texts"
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


def untrained(protocol: Json) -> list[str]:
    """Of each arm of one model for each language, those that have none because there was nothing to learn from."""
    arms = protocol.get("untrained", {})  # missing in earlier records
    return [
        f"{arm} has no model for {', '.join(languages)}, whose training rows leave nothing to be learned: the constant baseline "
        "answers there."
        for arm, languages in arms.items()
    ]
