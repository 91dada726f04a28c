"""As the languages occur."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .base import Balance, Floats, balances


@balances.add("proportional", source="Conneau & Lample 2019, NeurIPS, arXiv:1901.07291, section 3.1, with an exponent of 1")
@dataclass(frozen=True, slots=True, kw_only=True)
class Proportional(Balance):
    """n_l / Σ n: each text is drawn once in a pass, as where nothing is known of languages."""

    def shares(self, sizes: Floats) -> Floats:
        return np.asarray(sizes / sizes.sum())
