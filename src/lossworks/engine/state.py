"""Where a training stands."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class TrainState:
    """Where training stands; all that a checkpoint holds besides tensors."""

    epoch: int = 0
    done: int = 0  # steps of this epoch
    step: int = 0
    steps: int | None = None  # of all of training, where the time decides; None: as the recipe says
    best: float = math.inf
    best_epoch: int = 0
    stale: int = 0  # epochs since the best
    seconds: float = 0.0
    scores: list[float] = field(default_factory=list)  # one an epoch, as losses: of shares what is missed to 1
    micro_batch_size: int = 0  # examples or tokens whose outputs stand in memory at once; 0: as the settings say
    micro_batch_sizes: list[int] = field(default_factory=list)  # of each shard, once memory ran out for one
    search: dict[str, Any] | None = None  # what the search for a learning rate found
    passes: float = 0.0  # over the training rows, at the end
    stopped: str = "all epochs done"

    def to_json(self) -> dict[str, Any]:
        """Plain values, as a checkpoint holds them."""
        return {**asdict(self), "best": self.best if math.isfinite(self.best) else None}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> TrainState:
        """What ``to_json`` gave.

        Raises:
            TypeError, KeyError: something is missing, or of another version.
        """
        return cls(**{**saved, "best": math.inf if saved["best"] is None else saved["best"]})
