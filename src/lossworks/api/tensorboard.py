"""TensorBoard's event files, written while a fit runs: every number of the log as a curve, the settings as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core.errors import UnknownName, UsageError
from ..record.files import unwritable

LOGS = ("tensorboard",)
"""Where else a fit's numbers may go than into its own log."""
_CURVES = ("train", "valid", "iteration")  # the events whose numbers are drawn
_BESIDES = ("step", "epoch", "iteration", "restart", "restarts", "of")  # what says where an event stands
_FLUSH = 2  # seconds that an event may wait for the next before it is on the disk


def check(log: str | None) -> None:
    """Raise UsageError where there is no such log, or where what it needs is not installed."""
    if log is None:
        return
    if log not in LOGS:
        raise UnknownName("log", log, LOGS)
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError:
        raise UsageError("--log tensorboard needs the package tensorboard: pip install 'lossworks[tensorboard]'.") from None


class EventFiles:
    """Takes the events of a fit and writes TensorBoard's files into ``folder``, which is made when training begins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writer: Any = None
        self._settings: dict[str, Any] = {}
        self._step = 0

    def __call__(self, event: str, fields: dict[str, Any]) -> None:
        """Write down one event.

        Raises:
            RecordError: the files cannot be written.
        """
        try:
            self._take(event, fields)
        except OSError as error:
            raise unwritable(self.folder, error) from error

    def _take(self, event: str, fields: dict[str, Any]) -> None:
        self._settings = fields.get("config", self._settings)
        if event in ("start", "resume"):
            self._open(fields["step"] + 1 if event == "resume" else None)
        if self._writer is None or event not in _CURVES:
            return
        self._step = fields.get("step", fields.get("iteration", self._step))
        name = f"restart {fields['restart']}" if fields.get("restarts", 1) > 1 else event
        self._add(name, {key: value for key, value in fields.items() if key not in _BESIDES})

    def close(self, result: dict[str, Any] | None) -> None:
        """Write down the figures at the end, if there are any, and let go of the files."""
        if self._writer is None:
            return
        for name, metric in (result or {}).get("metrics", {}).items():
            self._add(str(result and result["part"]), {name: metric["value"]})
        self._writer.close()
        self._writer = None

    def _open(self, purged: int | None) -> None:
        """Begin a file; what earlier ones hold from step ``purged`` on is done again by a resumed run, and no more shown."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(self.folder), purge_step=purged, flush_secs=_FLUSH)
        rows = [f"| {name} | {value} |" for name, value in self._settings.items()]
        self._writer.add_text("settings", "\n".join(["| setting | value |", "|---|---|", *rows]), 0)

    def _add(self, prefix: str, numbers: dict[str, Any]) -> None:
        for name, value in numbers.items():
            if isinstance(value, dict):
                self._add(f"{prefix}/{name}", value)
            elif isinstance(value, int | float):
                self._writer.add_scalar(f"{prefix}/{name}", value, self._step)
