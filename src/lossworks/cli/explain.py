"""``lossworks explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import options
from .options import print_json


def command(
    run: Annotated[Path, typer.Argument(help="A run directory made by `lossworks fit` with ngram or hmm.")],
    text: Annotated[str, typer.Argument(help="The text to explain.")],
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Token by token why a language model says what it says, or which label each token speaks for."""
    from ..api import load

    found = load(run).explain(text)
    if json:
        print_json({"run": str(run), "text": text, "tokens": found})
        return
    for told in found:
        for line in _lines(told):
            print(line)


def _lines(told: dict[str, Any]) -> list[str]:
    """What is told of one token: a line, and one more for each order of n-grams that has a part in it."""
    if "evidence" in told:
        evidence = sorted(told["evidence"].items(), key=lambda item: -item[1])
        return [f"{told['token']!r:20} " + "  ".join(f"{label} {value:+.3f}" for label, value in evidence)]
    head = f"{told['token']!r:20} {told['probability']:.3g}"
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
