"""What families over frozen states have in common: a linear layer on top, trained on all rows at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from ..data import Batch
from .base import ModelSpec
from .networks import TextModel

if TYPE_CHECKING:
    from jaxtyping import Float

_INVERSE = 2.0
"""1 / (strength · rows) of the penalty, scikit-learn's C: of those tried good from 8 rows a class to all (docs/BENCHMARKS.md)."""


@dataclass(frozen=True, kw_only=True)
class StateSpec(ModelSpec):
    """A linear layer over ``StateFeatures``. Most losses are convex in it, so a search along curvature ends at the optimum."""

    optimizer: ClassVar[str] = "lbfgs"
    epochs: ClassVar[int] = 100
    patience: ClassVar[int] = 5
    no_further: ClassVar[str] = "its layer on frozen states is found anew from all rows"

    def penalty(self, rows: int) -> str | None:
        return f"l2:strength={1 / (_INVERSE * max(rows, 1)):.3g}"

    def network(self, features: int, outputs: int, seed: int) -> TextModel:
        return StateHead(features, outputs)


class StateHead(TextModel):
    """outputs = bias + W state, all weights zero at first."""

    threads: ClassVar[int | None] = 1  # its products are small, and so the same on any number of cores

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.head: nn.Linear = nn.utils.skip_init(nn.Linear, features, outputs)  # type: ignore[no-untyped-call]  # draws nothing
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, batch: Batch) -> Float[Tensor, "N outputs"]:
        states = torch.from_numpy(batch.ids.view(np.float32).reshape(len(batch), self.head.in_features))
        outputs: Tensor = self.head(states.to(self.head.weight.device))
        return outputs
