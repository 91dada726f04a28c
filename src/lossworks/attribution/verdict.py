"""What the figures of a trial come to, in a word and in sentences."""

from __future__ import annotations

from typing import Any

from ..evidence.statistics import LEVEL
from .explanation import Trial

MARK = 0.5
"""The rank correlation at which, of two deletions, shares tell in two of three cases which one does more."""
_NOTHING = {
    "few": "Too short to tell: what so few parts foretell is foretold in another order by chance.",
    "many": "Not tried: it would take long readings of so many parts. Give a passage.",
    "infinite": "There is nothing to test: some shares are not finite.",
    "shares": "There is nothing to test: all shares are alike.",
    "effects": "There is nothing to test: all deletions do the same.",
}


def verdict(facts: dict[str, Any]) -> Trial:
    """The verdict on the figures of a text's trial.

    Trust takes every test: a rank correlation whose interval is above the mark; higher than on other parts by chance, than of the
    controls, and than for any other label; and the parts of largest shares must take more with them than random ones do. An
    interval below the mark shows that the shares are of no use. All else is not shown.
    """
    if "nothing" in facts:
        return Trial("not shown", _NOTHING[facts["nothing"]], facts)
    if facts["high"] < MARK:
        return Trial("do not trust", f"The shares do not foretell what deletions do: {_figures(facts)}.", facts)
    if (why := _failed(facts)) is not None:
        return Trial("not shown", f"Not shown that the shares foretell what deletions do: {why}; {_figures(facts)}.", facts)
    lost, unit, parts = _number(facts["top"]), f" {facts['unit']}".rstrip(), facts["parts"]
    random = f"{_number(facts['random'])} ({_number(facts['random_low'])} to {_number(facts['random_high'])})"
    beside = f"Without the {parts} parts of largest shares it is {lost}{unit} less, without {parts} random ones {random}."
    return Trial("trust", f"The shares foretell what deletions do: {_figures(facts)}. {beside}", facts)


def _failed(facts: dict[str, Any]) -> str | None:
    """The first of the tests that is not passed, in words."""
    reached = facts["correlation"] - 1e-9  # of rounding
    if facts["p"] > LEVEL / 2:
        return f"on other parts they often foretell as much (p = {facts['p']:.2g})"
    if facts["low"] <= MARK:
        return f"their rank correlation may be below {MARK:g}"
    if control(facts) >= reached:
        return "those of a model with shuffled weights foretell as much"
    if facts["others"] and max(facts["others"].values()) >= reached:
        return f"they foretell as much of what becomes of {max(facts['others'], key=facts['others'].__getitem__)}"
    if facts["top"] is None or facts["random"] is None or facts["top"] <= facts["random"]:
        return "random parts take as much with them as those of largest shares"
    return None


def control(facts: dict[str, Any]) -> float:
    """The mean rank correlation of the controls' shares."""
    return sum(facts["controls"]) / len(facts["controls"]) if facts["controls"] else -1.0


def _figures(facts: dict[str, Any]) -> str:
    deletions = f"with {facts['deletions']} random deletions of {facts['parts']} parts"
    found = f"{facts['correlation']:.2f} ({facts['low']:.2f} to {facts['high']:.2f})"
    beside = f", {control(facts):.2f} with shuffled weights" if facts["controls"] else ""
    return f"rank correlation {found} {deletions}{beside}"


def _number(value: float) -> str:
    return f"{value:.3g}"
