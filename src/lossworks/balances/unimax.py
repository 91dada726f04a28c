"""Every language alike, as far as it can be repeated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core import domains
from .base import Balance, Floats, balances


@balances.add("unimax", source="Chung et al. 2023, ICLR, arXiv:2304.09151, algorithm 1")
@dataclass(frozen=True, slots=True, kw_only=True)
class UniMax(Balance):
    """Equal shares, but none of more than ``repeats`` · n_l; what a small language cannot take is divided among the larger.

    The budget is that of a pass, as much as there is of all languages together, so repeats are counted in a pass.
    Domain: repeats >= 1.  Limits: repeats = 1 is proportional, repeats → ∞ draws every language as often.
    """

    repeats: float = 4.0

    def __post_init__(self) -> None:
        domains.least(self, 1, "repeats")

    def shares(self, sizes: Floats) -> Floats:
        found, left = np.zeros(len(sizes)), float(sizes.sum())
        for done, number in enumerate(np.argsort(sizes, kind="stable").tolist()):
            found[number] = min(left / (len(sizes) - done), self.repeats * sizes[number])
            left -= found[number]
        return np.asarray(found / sizes.sum())
