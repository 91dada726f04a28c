"""What a balance is: the share of each language among what training draws, by how much there is of each."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from ..core.registry import Registry

Floats = NDArray[np.float64]


class Balance(ABC):
    """A frozen dataclass whose fields are its hyperparameters."""

    __slots__ = ()

    @abstractmethod
    def shares(self, sizes: Floats) -> Floats:
        """The share of each of L languages in what is drawn [L], in all 1. ``sizes`` [L], above 0: how much there is of each."""

    def rates(self, sizes: Floats) -> Floats:
        """How often each text of each language is drawn in a pass [L]. A pass draws as much as there is of all together."""
        found: Floats = self.shares(sizes) * (sizes.sum() / sizes)
        return found


balances: Registry[Balance] = Registry("balance", "lossworks.balances", Balance, "Give a spec such as 'unimax' or 'alpha:0.3'.")
build, render = balances.build, balances.render
"""From a spec such as ``"alpha:0.3"``, and back to it."""
