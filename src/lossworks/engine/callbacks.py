"""How the world outside watches and stops a fit, and where a fit stands."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from .distributed import World

if TYPE_CHECKING:
    from ..optim.leaping import Leaping


@dataclass(slots=True)
class Callbacks:
    """How the world outside watches a fit, ``watch(event, fields)``, and stops it: setting ``stop`` ends it after the step.

    ``async_checkpoints``: they are written while training goes on, from a copy.
    ``stepped`` (None: nothing) is called after every step, while the weights are those to go on with; ``ended`` with what made
    the steps, after the last one, when its weights are those to evaluate with.
    ``world``: the processes that train together. ``clock``: seconds, from any point. ``began``: when the fit did, by the clock,
    for one whose minutes are told; None: when it began to train.
    """

    watch: Callable[[str, dict[str, Any]], None] = lambda event, fields: None
    checkpoints: Path | None = None
    checkpoint_every: float = 30.0
    async_checkpoints: bool = False
    stop: Event = field(default_factory=Event)
    stepped: Callable[[], None] | None = None
    ended: Callable[[Leaping], None] | None = None
    world: World = field(default_factory=World)
    clock: Callable[[], float] = time.monotonic
    began: float | None = None

    def judging(self, of: int, things: str) -> Callable[[int], None]:
        """To be told how many more ``things``, of so many, a model has been judged by; "judge" tells how many that makes."""
        done = 0

        def tell(more: int) -> None:
            nonlocal done
            done += more
            self.watch("judge", {"done": done, "of": of, "things": things})

        return tell

    def with_shards(self, shards: int | None) -> Callbacks:
        """The same for steps whose rows are dealt into so many shards; None: as they are."""
        return self if shards is None else replace(self, world=replace(self.world, shards=shards))
