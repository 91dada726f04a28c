"""How counts become probabilities: what of a count is left to an n-gram, and what its context leaves to shorter ones.

Every method comes down to the formula of ``trie.py``: a mass for each count, and for each context a total that masses are
divided by and a weight of the next shorter context. A context is told by (Σ count, N1, N2, N3+, Σ count of the pruned) of what
follows it, with N1 of it counted once, N2 twice and N3+ more often, not pruned. The mass of what was pruned goes to the shorter
context, so that every distribution still sums to 1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ...core.errors import UnknownName, UsageError

Floats = NDArray[np.float64]
FALLBACK = (0.5, 1.0, 1.5)
"""Discounts of counts of 1, 2, and 3 and more where the text does not tell them."""


class Smoothing(ABC):
    """A method. ``raw``: whether k-grams shorter than the order are counted as they occur; ``flat``: see ``Trie``.

    It serves several models at once, too: all arrays of ``take``, ``mass`` and ``context`` then have one more dimension, the
    first.
    """

    raw: ClassVar[bool] = True
    flat: ClassVar[bool] = False

    def take(self, of_counts: NDArray[np.int64], order: int) -> None:  # noqa: B027 (most methods need to know nothing)
        """Take what is to be known of one order: how many k-grams were counted 0, 1, 2, 3, 4 times, and all, [6]."""

    def learn(self, of_counts: NDArray[np.int64], order: int, note: Callable[[str], None]) -> dict[str, Any]:
        """``take``, and tell: ``note`` gets what is odd, and facts for the record are returned."""
        self.take(of_counts, order)
        return {}

    @abstractmethod
    def mass(self, counts: NDArray[np.int64], order: int) -> Floats:
        """What is left of each count."""

    @abstractmethod
    def context(self, contexts: NDArray[np.int64], order: int, words: int) -> tuple[Floats, Floats]:
        """Total and weight of the next shorter context, for contexts [n, 5] of the n-grams of ``order``; nothing follows: 1
        and 1.
        """


class KneserNey(Smoothing):
    """Interpolated modified Kneser-Ney: three discounts an order, and shorter n-grams counted by what stands before them.

    Source: Chen & Goodman 1999, Computer Speech & Language 13:359, eq. 26.
    """

    raw = False

    def __init__(self) -> None:
        self.discounts: dict[int, Floats] = {}

    def take(self, of_counts: NDArray[np.int64], order: int) -> None:
        found = _discounts(of_counts)
        self.discounts[order] = np.where(np.isnan(found), (0.0, *FALLBACK), found)

    def learn(self, of_counts: NDArray[np.int64], order: int, note: Callable[[str], None]) -> dict[str, Any]:
        self.take(of_counts, order)
        fallback = bool(np.isnan(_discounts(of_counts)).any())
        if fallback:
            note(
                f"order {order}: the counts of counts {of_counts[1:5].tolist()} tell no discounts, as in small or artificial "
                "text; "
                f"{', '.join(map(str, FALLBACK))} are used for counts of 1, 2, and 3 or more."
            )
        return {"discounts": self.discounts[order][1:].tolist(), "fallback": fallback}

    def mass(self, counts: NDArray[np.int64], order: int) -> Floats:
        return counts - np.take_along_axis(self.discounts[order], np.minimum(counts, 3), -1)

    def context(self, contexts: NDArray[np.int64], order: int, words: int) -> tuple[Floats, Floats]:
        left = (contexts[..., 1:4] @ self.discounts[order][..., 1:, None])[..., 0] + contexts[..., 4]
        return _shares(contexts[..., 0].astype(np.float64), left)


def _discounts(of_counts: NDArray[np.int64]) -> Floats:
    """0, D1, D2, D3+ from how many were counted 0, 1, 2, 3, 4 times; all nan where one is undefined or out of range."""
    n = of_counts.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        y = n[..., 1] / (n[..., 1] + 2 * n[..., 2])
        found = np.stack([np.zeros_like(y), *(j - (j + 1) * y * n[..., j + 1] / n[..., j] for j in (1, 2, 3))], -1)
    told = (n[..., 1:4] > 0).all(-1, keepdims=True) & ((found >= 0) & (found <= (0, 1, 2, 3))).all(-1, keepdims=True)
    return np.where(told, found, np.nan)


class WittenBell(Smoothing):
    """A context leaves to shorter ones in proportion to how many different words follow it.

    Source: Witten & Bell 1991, IEEE Trans. Inf. Theory 37:1085, method C; Chen & Goodman 1999, eq. 14.
    """

    def mass(self, counts: NDArray[np.int64], order: int) -> Floats:
        return counts.astype(np.float64)

    def context(self, contexts: NDArray[np.int64], order: int, words: int) -> tuple[Floats, Floats]:
        kinds = contexts[..., 1] + contexts[..., 2] + contexts[..., 3]
        total = contexts[..., 0] + kinds
        return _shares(total.astype(np.float64), (kinds + contexts[..., 4]).astype(np.float64))


@dataclass(frozen=True)
class Additive(Smoothing):
    """``delta`` added to every count of the longest n-grams; shorter ones are not looked at (Lidstone 1920)."""

    delta: float
    flat: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 < self.delta < float("inf"):
            raise UsageError(f"delta is {self.delta}; wanted a finite number above 0.")

    def mass(self, counts: NDArray[np.int64], order: int) -> Floats:
        return counts.astype(np.float64)

    def context(self, contexts: NDArray[np.int64], order: int, words: int) -> tuple[Floats, Floats]:
        added = self.delta * words
        return _shares(contexts[..., 0] + added, contexts[..., 4] + added)


def _shares(total: NDArray[Any], left: NDArray[Any]) -> tuple[Floats, Floats]:
    """``left`` as a share of ``total``; where nothing follows, all is left."""
    there = total > 0
    return np.where(there, total, 1.0), np.divide(left, total, out=np.ones_like(total), where=there)


METHODS = ("kneser_ney", "witten_bell", "additive")


def smoothing(name: str, delta: float) -> Smoothing:
    """The method called ``name``; ``delta`` is for ``additive``.

    Raises:
        UnknownName: there is none.
    """
    if name not in METHODS:
        raise UnknownName("smoothing", name, METHODS)
    return {"kneser_ney": KneserNey, "witten_bell": WittenBell}[name]() if name != "additive" else Additive(delta)
