"""TensorBoard's event files, in the run's directory: every number of the log as a curve, the settings as text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from .base import Tracker

_FLUSH = 2  # seconds that an event may wait for the next before it is on the disk


class TensorBoard(Tracker):
    """Writes ``tensorboard/``, which is made when training begins."""

    module: ClassVar[str] = "torch.utils.tensorboard"
    remedy: ClassVar[str] = "pip install 'lossworks[tensorboard]'"

    def open(self, settings: Mapping[str, Any], resumed: int | None) -> None:
        from torch.utils.tensorboard import SummaryWriter

        purged = None if resumed is None else resumed + 1  # what files of before hold from there on is no more shown
        self._writer = SummaryWriter(str(self.run / "tensorboard"), purge_step=purged, flush_secs=_FLUSH)
        rows = [f"| {name} | {value} |" for name, value in settings.items()]
        self._writer.add_text("settings", "\n".join(["| setting | value |", "|---|---|", *rows]), 0)

    def add(self, numbers: Mapping[str, float], step: int) -> None:
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, step)

    def close(self, status: str, report: Path | None) -> None:
        self._writer.close()
