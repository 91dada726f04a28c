"""What verbs share: where a run goes, its command, how it is stopped, and how a page is opened."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import Any


def new_run(data: str) -> Path:
    """Where a run goes that was given no directory: runs/NAME-TIME."""
    name = "stdin" if data == "-" else Path(data).name.split(".")[0] or "run"
    return Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"


def command_line() -> str:
    """The command as it was given, for the record."""
    return shlex.join(["lossworks", *sys.argv[1:]])


def is_first() -> bool:
    """Whether this is the only process, or the first of those that torchrun started: the one that speaks."""
    return os.environ.get("RANK", "0") == "0"


def opened(page: Path) -> str:
    """What opens a page, as it is typed."""
    return f"open {shlex.quote(str(page))}"


def stop_on_signals(callbacks: Any, watcher: Any) -> None:
    """Ctrl-C or SIGTERM ends training after the step, with a checkpoint; a second one, or one before it, ends it at once."""

    def stop(number: int, frame: Any) -> None:
        if callbacks.stop.is_set() or not watcher.training:
            raise KeyboardInterrupt
        callbacks.stop.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
