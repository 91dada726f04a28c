"""What the figures of a trial come to, in a word and in sentences."""

from __future__ import annotations

from typing import Any

from ..evidence.statistics import LEVEL
from .explanation import Trial

MARK = 0.5
"""Of the order: the rank correlation at which shares tell in two of three cases which of two deletions does more. Of the amount:
the R² at which they foretell as much as they miss.
"""
_NOTHING = {
    "few": "Too short to tell: what so few parts foretell is foretold in another order by chance.",
    "many": "Not tried: it would take long readings of so many parts. Give a passage.",
    "infinite": "There is nothing to test: some shares are not finite.",
    "shares": "There is nothing to test: all shares are alike.",
    "effects": "There is nothing to test: all deletions do the same.",
}


def verdict(facts: dict[str, Any]) -> Trial:
    """The verdict on the figures of a text's trial.

    Trust takes every test: order or amount above the mark, with the whole interval, and the order more than by chance; a rank
    correlation higher than that of the controls, and than for any other label; and the parts of largest shares must take more
    with them than random ones do. Both below the mark with their whole intervals shows that the shares are of no use. All else
    is not shown.
    """
    if "nothing" in facts:
        return Trial("not shown", _NOTHING[facts["nothing"]], facts)
    amount = facts["amount_high"] is not None and facts["amount_high"] >= MARK
    if facts["high"] < MARK and not amount:
        return Trial("do not trust", f"The shares do not foretell what deletions do: {_figures(facts)}.", facts)
    if (why := _failed(facts)) is not None:
        return Trial("not shown", f"Not shown that the shares foretell what deletions do: {why}; {_figures(facts)}.", facts)
    which = "The shares foretell" if _order(facts) is None else "The large shares foretell"
    lost, unit, parts = _number(facts["top"]), f" {facts['unit']}".rstrip(), facts["parts"]
    random = f"{_number(facts['random'])} ({_number(facts['random_low'])} to {_number(facts['random_high'])})"
    beside = f"Without the {parts} parts of largest shares it is {lost}{unit} less, without {parts} random ones {random}."
    return Trial("trust", f"{which} what deletions do: {_figures(facts)}. {beside}", facts)


def _failed(facts: dict[str, Any]) -> str | None:
    """The first of the tests that is not passed, in words."""
    amount = facts["amount_low"] is not None and facts["amount_low"] > MARK
    if not amount and (why := _order(facts)) is not None:
        return why
    reached = facts["correlation"] - 1e-9  # of rounding
    if control(facts) >= reached:
        return "those of a model with shuffled weights foretell as much"
    if facts["others"] and max(facts["others"].values()) >= reached:
        return f"they foretell as much of what becomes of {max(facts['others'], key=facts['others'].__getitem__)}"
    if facts["top"] is None or facts["random"] is None or facts["top"] <= facts["random"]:
        return "random parts take as much with them as those of largest shares"
    return None


def _order(facts: dict[str, Any]) -> str | None:
    """Why the order is not shown to be foretold."""
    if facts["p"] > LEVEL / 2:  # one side of two
        return f"on other parts they often foretell as much (p = {facts['p']:.2g})"
    return f"their rank correlation may be below {MARK:g}" if facts["low"] <= MARK else None


def control(facts: dict[str, Any]) -> float:
    """The mean rank correlation of the controls' shares."""
    return sum(facts["controls"]) / len(facts["controls"]) if facts["controls"] else -1.0


def _figures(facts: dict[str, Any]) -> str:
    deletions = f"with {facts['deletions']} random deletions of {facts['parts']} parts"
    order = f"rank correlation {facts['correlation']:.2f} ({facts['low']:.2f} to {facts['high']:.2f})"
    beside = f"; {control(facts):.2f} with shuffled weights" if facts["controls"] else ""
    amount = "" if facts["amount"] is None else f", R² {max(facts['amount'], -9.99):.2f}"
    return f"{order}{amount} {deletions}{beside}"


def _number(value: float) -> str:
    return f"{value:.3g}"
