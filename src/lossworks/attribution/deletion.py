"""Leave-one-out: what a quantity loses when one part is deleted from the text. Exact, for every family, in T + 1 readings."""

from __future__ import annotations

import numpy as np

from ..core.errors import UsageError
from .explanation import Division
from .texts import Texts, blocks

MOST = 2_000
"""Parts of one text; each takes a reading of the text."""
_AT_ONCE = 4096  # readings of texts
UNLIKE = "a text without one of its parts may be unlike all that the model was trained on"


def leave_one_out(texts: Texts) -> list[Division]:
    """The share of a part is value - value without it; shares do not sum to value - baseline where parts interact.

    Raises:
        UsageError: a text has too many parts.
    """
    kept = []
    for number, spans in enumerate(texts.spans):
        check_size(number, len(spans))
        fixed = texts.fixed(number)
        rows = ~np.eye(len(spans), dtype=np.bool_)[~fixed]
        kept.append(np.concatenate([np.ones((1, len(spans)), np.bool_), fixed[None], rows]))
    divisions = []
    for first, last in blocks([len(rows) for rows in kept], _AT_ONCE):
        for number, values in enumerate(texts.some(first, last).values(kept[first:last]), first):
            shares = np.zeros(len(texts.spans[number]))
            shares[~texts.fixed(number)] = values[0] - values[2:]
            divisions.append(Division(float(values[0]), float(values[1]), shares, (UNLIKE,)))
    return divisions


def check_size(number: int, parts: int) -> None:
    """Raise UsageError where a text would be read more often than ``MOST`` times."""
    if parts > MOST:
        raise UsageError(
            f"text number {number + 1} has {parts:,} parts, and leave-one-out reads it once for each; it takes up to {MOST:,}. "
            "Give a passage of it."
        )
