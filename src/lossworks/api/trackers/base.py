"""From the events of a fit to a tracker: every number of the log by its step, settings, the figures at the end, the report."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

_CURVES = ("train", "valid", "iteration")  # the events whose numbers are drawn
_BESIDES = ("step", "epoch", "iteration", "restart", "restarts", "of")  # what says where an event stands


class Tracker(ABC):
    """One place of others' that numbers go to. Whatever it raises, training goes on without it.

    module: what must be importable; remedy: what installs it.
    run: the run's directory. about: the run's ``created``, which is the same where it is resumed, and the ``command``.
    """

    module: ClassVar[str]
    remedy: ClassVar[str]

    def __init__(self, run: Path, about: Mapping[str, Any]) -> None:
        self.run, self.about = run, about

    @abstractmethod
    def open(self, settings: Mapping[str, Any], resumed: int | None) -> None:
        """Begin, or go on after step ``resumed``: what was told of later steps is told again."""

    @abstractmethod
    def add(self, numbers: Mapping[str, float], step: int) -> None:
        """Write down numbers of a step, called "train/loss"."""

    @abstractmethod
    def close(self, status: str, report: Path | None) -> None:
        """Take the report, if there is one, and let go of the place."""


class Tracking:
    """Takes the events of a fit to its trackers; one that fails is told of once, by ``warn``, and then left out."""

    def __init__(self, trackers: Mapping[str, Tracker], warn: Callable[[str], None]) -> None:
        self._trackers, self._warn = dict(trackers), warn
        self._settings: Mapping[str, Any] = {}
        self._step, self._is_open = 0, False

    def __call__(self, event: str, fields: Mapping[str, Any]) -> None:
        """Take note of one event."""
        self._settings = fields.get("config", self._settings)
        if event in ("start", "resume") and not self._is_open:
            self._is_open = True
            self._each(lambda tracker: tracker.open(self._settings, fields["step"] if event == "resume" else None))
        if not self._is_open or event not in _CURVES:
            return
        self._step = fields.get("step", fields.get("iteration", self._step))
        name = f"restart {fields['restart']}" if fields.get("restarts", 1) > 1 else event
        self._add({name: {key: value for key, value in fields.items() if key not in _BESIDES}})

    def close(self, status: str, result: Mapping[str, Any] | None, report: Path) -> None:
        """Give away the figures at the end and the report, if there are any, and let go."""
        if not self._is_open:
            return
        metrics = (result or {}).get("metrics", {})
        self._add({str(result and result["part"]): {name: metric["value"] for name, metric in metrics.items()}})
        self._each(lambda tracker: tracker.close(status, report if report.exists() else None))

    def _add(self, numbers: Mapping[str, Any]) -> None:
        if told := dict(_flat(numbers)):
            self._each(lambda tracker: tracker.add(told, self._step))

    def _each(self, work: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                work(tracker)
            except Exception as error:  # noqa: BLE001  # whatever others' code raises
                del self._trackers[name]
                self._warn(f"--log {name} ended ({type(error).__name__}: {error}); training goes on without it")


def _flat(numbers: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Each number, those within others by names such as "train/moved/head"."""
    for name, value in numbers.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            yield f"{prefix}{name}", value
