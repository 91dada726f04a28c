"""Whether a threshold for each label is worth more than one for all, in words."""

from __future__ import annotations

from ..metrics.contrast import LEVEL
from . import words
from .words import Json


def sentence(summary: Json) -> str:
    """The verdict on the thresholds of a run that tells sets of labels; empty where there is none."""
    found: Json | None = (summary.get("result") or {}).get("cuts")
    if found is None:
        return ""
    one, apart = f"{found['one']:.3g}", found["difference"]
    own = summary["result"]["thresholds"]
    if all(cut == found["one"] for cut in own):
        return f"No label has a threshold of its own: none gained clearly on the validation rows over {one} for all."
    if apart is None:
        return f"Whether thresholds of their own are worth more than {one} for all labels cannot be told from these test texts."
    low, high = (words.number("macro_f1", apart[end]) for end in ("low", "high"))
    told = f"macro-F1 {words.number('macro_f1', apart['value'])} (95{words.THIN}% interval {low} to {high}; p = {apart['p']:.2g})"
    if apart["p"] > LEVEL:
        return (
            f"Not shown that thresholds of their own are worth more than {one} for all labels: {told}. That is the simpler "
            f"choice: --threshold {one} when predicting."
        )
    word = "worth more" if apart["value"] > 0 else "worse"
    return f"Thresholds of their own are {word} than {one} for all labels: {told}."
