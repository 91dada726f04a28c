"""Where else a fit's numbers go than into its own log: one file for each tracker. None of them can end a training."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from ...core.errors import UnknownName, UsageError
from .base import Tracker, Tracking

LOGS = ("tensorboard", "wandb", "mlflow")


def named(log: str | None) -> list[str]:
    """The trackers that ``log`` names, "wandb,mlflow".

    Raises:
        UsageError: there is no such one, or what it needs is not installed.
    """
    names = [] if log is None else [name.strip() for name in log.split(",")]
    for name in names:
        if name not in LOGS:
            raise UnknownName("log", name, LOGS)
        made = _class(name)
        try:
            importlib.import_module(made.module)
        except ImportError:
            raise UsageError(f"--log {name} needs the package {name}: {made.remedy}.") from None
    return names


def tracking(log: str, run: Path, about: dict[str, Any], warn: Any) -> Tracking:
    """What takes the events of a fit to the trackers that ``log`` names; ``run``: its directory. about: as of ``Tracker``."""
    return Tracking({name: _class(name)(run, about) for name in named(log)}, warn)


def _class(name: str) -> type[Tracker]:
    module = importlib.import_module(f".{name}", __package__)
    return next(made for made in vars(module).values() if isinstance(made, type) and made.__module__ == module.__name__)
