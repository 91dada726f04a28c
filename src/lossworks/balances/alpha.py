"""Shares raised to a power, which lifts the rare languages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..core import domains
from .base import Balance, Floats, balances


@balances.add("alpha", source="Conneau & Lample 2019, NeurIPS, arXiv:1901.07291, section 3.1; 0.3: Xue et al. 2021 (mT5), 2.1")
@dataclass(frozen=True, slots=True, kw_only=True)
class Alpha(Balance):
    """n_l^exponent / Σ n^exponent. The smallest languages may be repeated without limit.

    Domain: 0 <= exponent <= 1.  Limits: exponent = 1 is proportional, exponent = 0 draws every language as often.
    """

    exponent: float = 0.3
    leading: ClassVar[str] = "exponent"

    def __post_init__(self) -> None:
        domains.fraction(self, "exponent")

    def shares(self, sizes: Floats) -> Floats:
        lifted = (sizes / sizes.max()) ** self.exponent
        return np.asarray(lifted / lifted.sum())
