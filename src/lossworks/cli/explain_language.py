"""What a language model's family tells of a text's tokens, for the terminal: probabilities, orders of n-grams, hidden states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..api import Explanation

_SHOWN = 12  # tokens of a text


def lines(explanation: Explanation) -> list[str]:
    """A line for each token, the most surprising ones where there are many, and one more for each order that has a part in it."""
    told = explanation.details
    if not told or "bits" not in told[0]:
        return []
    infinite = float("inf")
    order = sorted(range(len(told)), key=lambda token: -(infinite if told[token]["bits"] is None else told[token]["bits"]))
    shown = [line for token in sorted(order[:_SHOWN]) for line in _token(told[token])]
    if (rest := len(told) - _SHOWN) > 0:
        shown.append(f"and {rest:,} less surprising tokens; --json has them all, --part those of one part")
    return shown


def _token(told: dict[str, Any]) -> list[str]:
    bits = "impossible" if told["bits"] is None else f"{told['bits']:.1f} bits"
    head = f"{told['token']!r:20} {told['probability']:.3g}, {bits}"
    if "state" in told:
        says = " ".join(map(repr, told["says"]))
        return [f"{head}   state {told['state']} ({told['posterior']:.2f} sure), which says {says}"]
    return [head, *(_order(order, told["probability"]) for order in told.get("orders", []) if order["share"] > 0)]


def _order(order: dict[str, Any], probability: float) -> str:
    """One order of n-grams: its part of the probability, its context, and the counts behind it."""
    if order["n"] == 0:
        context, counts = "any token alike", ""
    else:
        context = "after " + " ".join(map(repr, order["context"])) if order["context"] else "however it stands"
        counts = f", count {order['count']:,}" if "count" in order else ""
        counts += f" of {order['context_count']:,}" if order.get("context_count") else ""
    return f"  {order['n']}-gram {100 * order['share'] / probability:5.1f} %  {context}{counts}"
