"""How a comparison was made, step by step, as its page tells it."""

from __future__ import annotations

from . import words
from .comparison_rows import rows_are
from .words import Json

_SIZES = (
    "Probabilities are not calibrated. Each text or segment is weighted by its size, so the mean over them is the metric on the "
    "whole test set."
)
_EACH = (
    "Each training of {} is one model for each language, trained on the rows of that language alone and asked for no others. Its "
    "models have their settings in common, tuned by the validation rows of all languages. A classifier is calibrated by its "
    "language's, if they are 20 or more, and then all are together."
)


def steps(summary: Json) -> list[str]:
    """The method, step by step."""
    protocol, result = summary["protocol"], summary.get("result") or {}
    language, rows = summary["task"] == "lm", rows_are(result)
    each = [arm["name"] for arm in protocol["arms"] if str(arm.get("model")).startswith("each:")]
    method = [
        _split(summary),
        _tuning(summary),
        *([_EACH.format(" and ".join(each))] if each else []),
        *words.untrained(protocol),
        f"Every arm was then trained with the same {protocol['seeds']} seeds ({_seeds(protocol)}): the same initial weights "
        "where the shapes allow, and the same order of rows. Each run went to the end of its schedule and was evaluated with its "
        "final weights.",
        "The test set was used once, at the end. "
        + (_SIZES if language else "Probabilities are calibrated with a temperature fitted on the validation rows, as in fit."),
        f"Differences are paired by seed and over the {rows}. Their intervals account for both sources of variance, the seeds "
        f"and the {rows} (a two-way layout; half-width after Banerjee 1960). p belongs to the interval and is corrected over "
        "the arms by Holm's method. A permutation test, which flips signs of seeds, rows and their interaction and assumes no "
        "normal distribution, must agree: its p must be at most 5 %, or the smallest possible with so few seeds.",
        "A diverged run counts as the constant baseline, and its arm is never called better.",
    ]
    if result.get("margin"):
        method.append(
            "Equivalent means that both of two one-sided tests at the ends of the margin reject, after Holm's correction."
        )
    return method


def _split(summary: Json) -> str:
    """How the data was split, in rows or in tokens."""
    data, seed = summary["data"], summary["protocol"]["split_seed"]
    if "tokens" not in data:
        parts = data["parts"]
        sizes = f"{parts['train']:,} rows for training, {parts['valid']:,} for validation, {parts['test']:,} for testing"
        return f"The data was split once, with seed {seed}: {sizes}. {_duplicates(summary['duplicates'])}"
    tokens = data["tokens"]
    sizes = f"{tokens['train']:,} tokens for training, {tokens['valid']:,} for validation, {tokens['test']:,} for testing"
    if data["units"] == "texts":
        return f"The texts were split once, with seed {seed}: {sizes}. {_duplicates(summary['duplicates'])}"
    return f"The text was split once, in two places: {sizes}, the last in {data['units']} of equally many characters."


def _duplicates(duplicates: Json) -> str:
    exact, near = duplicates["exact"], duplicates["near"]
    if not any([*exact.values(), *near.values()]):
        return "No held-out text occurs in the training set, exactly or nearly."
    counts = [
        f"{exact[part]:,} {name} rows exactly, {near[part]:,} nearly"
        for part, name in (("test", "test"), ("valid", "validation"))
    ]
    return f"Held-out texts that also occur in the training set: {'; '.join(counts)}."


def _tuning(summary: Json) -> str:
    protocol = summary["protocol"]
    if not protocol["trials"]:
        return "Nothing was tuned: the learning rates were given."
    score = "nats per token" if summary["task"] == "lm" else "calibrated nll, or squared error"
    return (
        f"For every arm {' and '.join(protocol['tune'])} was tuned with {protocol['trials']} trials, scored on the validation "
        f"set by a proper scoring rule ({score}) at the end of the schedule, never by the training loss: two thirds of the "
        "trials spread over the range, the rest around the best of those."
    )


def _seeds(protocol: Json) -> str:
    first = protocol["split_seed"] + 1
    return f"{first} to {first + protocol['seeds'] - 1}" if protocol["seeds"] > 1 else str(first)
