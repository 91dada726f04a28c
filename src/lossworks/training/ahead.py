"""The second training of few rows, begun on a thread of its own while the first still goes on.

It takes the same steps whenever it takes them; the first says only after which epoch it ends. So what it is after each epoch that
may be the one is kept until that is known, and the bits are those of one training after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Any, Self

from .. import schedules
from ..core.errors import Interrupted
from ..core.threads import available
from ..engine import Callbacks, Course
from ..schedules.constant import Constant
from .arrays import ArrayCourse
from .settings import Settings

_LARGEST = 32 << 20
"""Bytes of weights that are copied after an epoch."""
_LOOK = 0.01  # seconds


def may_begin(first: Course, settings: Settings) -> bool:
    """Whether a second training may go on beside the ``first``: there is a processor for it, memory for copies, no part of the
    rows is on the disk, and the learning rate is not for the first's scores to say.
    """
    if not isinstance(first, ArrayCourse) or available() < 2:
        return False
    parts = (first.objective.data.train, first.objective.data.valid)
    light = sum(array.nbytes for array in first.objective.weights.values()) <= _LARGEST
    return (
        light
        and all(part is None or part.shards.pieces == 1 for part in parts)
        and isinstance(schedules.build(settings.schedule or "constant"), Constant)
    )


class Ahead:
    """The training that ``make`` gives for its callbacks, at most an epoch ahead of the ``first``. Left, it is stopped."""

    def __init__(self, first: Course, make: Callable[[Callbacks], Course]) -> None:
        self._first, self._make = first, make
        self._after: dict[int, dict[str, Any]] = {}
        self._wanted: int | None = None
        self._course: Course | None = None
        self._failed: BaseException | None = None
        self._stop, self._lock = Event(), Lock()
        self._tell: Callable[[str, dict[str, Any]], None] | None = None
        self._untold: list[tuple[str, dict[str, Any]]] = []
        self._thread = Thread(target=self._run, name="lossworks-ahead", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def until(self, epochs: int, callbacks: Callbacks) -> Course | None:
        """The training after so many epochs, now that it is known how many; who watches ``callbacks`` is told of them all.
        None: it is not one that can be begun ahead.

        Raises:
            Diverged, Interrupted: as of a training on its own.
        """
        with self._lock:
            self._wanted, self._tell = epochs, callbacks.watch
            for event, fields in self._untold:
                self._pass_on(event, fields)
        while self._thread.is_alive():
            self._thread.join(_LOOK)
            if callbacks.stop.is_set():
                self._stop.set()
        if callbacks.stop.is_set():
            raise Interrupted("stopped in the second training.", "goes on from the end of the first")
        if epochs in self._after and isinstance(self._course, ArrayCourse):
            self._course.put(self._after[epochs])
            return self._course
        if self._failed is not None:
            raise self._failed
        return None

    def _run(self) -> None:
        try:
            self._course = course = self._make(Callbacks(watch=self._watch, stop=self._stop))
            while isinstance(course, ArrayCourse) and self._goes_on(course.state.epoch):
                course.last_epoch = course.state.epoch + 1
                course.run()
                self._after[course.state.epoch] = course.copied()
                least = self._wanted or self._first.state.best_epoch or 0
                self._after = {epoch: kept for epoch, kept in self._after.items() if epoch >= least}
        except BaseException as failed:  # noqa: BLE001  # who waits for it raises it
            self._failed = failed

    def _goes_on(self, epoch: int) -> bool:
        """Whether another epoch is to follow so many; waits until that is known."""
        while self._wanted is None and epoch > self._first.state.epoch:
            if self._stop.wait(_LOOK):
                return False
        return not self._stop.is_set() and (self._wanted is None or epoch < self._wanted)

    def _watch(self, event: str, fields: dict[str, Any]) -> None:
        with self._lock:
            if self._tell is None:
                self._untold.append((event, fields))
            else:
                self._pass_on(event, fields)

    def _pass_on(self, event: str, fields: dict[str, Any]) -> None:
        if self._tell is not None and self._wanted is not None and fields.get("epoch", 0) <= self._wanted:
            self._tell(event, fields)
