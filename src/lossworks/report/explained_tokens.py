"""What a model's family tells of a text's tokens, in lines: probabilities, orders of n-grams, hidden states, evidence."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .words import Json

_SHOWN = 12  # tokens of a text
_LABELS = 5  # of a token


def token_lines(details: Sequence[Json]) -> list[str]:
    """A line for each token, those that say most where there are many, and one more for each order that has a part in it."""
    order = sorted(range(len(details)), key=lambda token: -_weight(details[token]))
    shown = [line for token in sorted(order[:_SHOWN]) for line in _token(details[token])]
    if (rest := len(details) - _SHOWN) > 0:
        shown.append(f"and {rest:,} tokens that say less; --json has them all")
    return shown


def _weight(told: Json) -> float:
    """How much a token says: its surprisal, or its evidence."""
    if "evidence" in told:
        return max((abs(value) for value in told["evidence"].values() if value is not None), default=0.0)
    return math.inf if told["bits"] is None else float(told["bits"])


def _evidence(told: Json) -> str:
    """The labels that a token speaks for, and those that it speaks against, the strongest."""
    ranked = sorted(told["evidence"].items(), key=lambda item: -(item[1] or 0.0))
    if len(ranked) > _LABELS:
        ranked = [*ranked[: _LABELS - 2], *ranked[-2:]]
    return f"{told['token']!r:20} " + "  ".join(f"{label} {value:+.3f}" for label, value in ranked if value is not None)


def _token(told: Json) -> list[str]:
    if "evidence" in told:
        return [_evidence(told)]
    bits = "impossible" if told["bits"] is None else f"{told['bits']:.1f} bits"
    head = f"{told['token']!r:20} {told['probability']:.3g}, {bits}"
    if "state" in told:
        says = " ".join(map(repr, told["says"]))
        return [f"{head}   state {told['state']} ({told['posterior']:.2f} sure), which says {says}"]
    return [head, *(_order(order, told["probability"]) for order in told.get("orders", []) if order["share"] > 0)]


def _order(order: Json, probability: float) -> str:
    """One order of n-grams: its part of the probability, its context, and the counts behind it."""
    if order["n"] == 0:
        context, counts = "any token alike", ""
    else:
        context = "after " + " ".join(map(repr, order["context"])) if order["context"] else "however it stands"
        counts = f", count {order['count']:,}" if "count" in order else ""
        counts += f" of {order['context_count']:,}" if order.get("context_count") else ""
    return f"  {order['n']}-gram {100 * order['share'] / probability:5.1f} %  {context}{counts}"
