"""How the world outside watches and stops a fit, and where a fit stands."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from .distributed import World


@dataclass(slots=True)
class Callbacks:
    """How the world outside watches a fit, ``watch(event, fields)``, and stops it: setting ``stop`` ends it after the step.

    ``stepped`` is called after every step, while the weights are those to go on with.
    ``world``: the processes that train together.
    """

    watch: Callable[[str, dict[str, Any]], None] = lambda event, fields: None
    checkpoints: Path | None = None
    checkpoint_every: float = 30.0
    stop: Event = field(default_factory=Event)
    stepped: Callable[[], None] = lambda: None
    world: World = field(default_factory=World)


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
    scores: list[float] = field(default_factory=list)  # of the held-out rows, one an epoch
    micro: int = 0  # rows whose outputs stand in memory at once; 0: as the settings say
    search: dict[str, Any] | None = None  # what the search for a learning rate found
    stopped: str = "all epochs done"
