"""How often each class occurs in the training data, which losses for unbalanced classes ask for as their field ``counts``."""

from __future__ import annotations

from ..core.errors import UsageError


def check(counts: tuple[float, ...]) -> None:
    """Raise UsageError where a count is no finite number above 0; () stands for counts not known yet."""
    if any(not 0 < count < float("inf") for count in counts):
        raise UsageError(f"counts are {counts}; wanted finite numbers above 0, one a class. A class never seen has none to give.")


def known(counts: tuple[float, ...]) -> tuple[float, ...]:
    """The counts.

    Raises:
        UsageError: they are not known yet.
    """
    if not counts:
        raise UsageError(
            "this loss needs to know how often each class occurs, and counts are empty. "
            "Give counts=(…), one number a class, or loss.with_counts(…); a fit fills them in from its training data."
        )
    return counts
