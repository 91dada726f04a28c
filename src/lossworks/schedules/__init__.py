"""Schedules of the learning rate, one a file, found by walking this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import lazy

if TYPE_CHECKING:
    from .base import Schedule, build, render, schedules
    from .length import Clock, Length
    from .scheduler import Scheduler

__all__ = ["Clock", "Length", "Schedule", "Scheduler", "build", "render", "schedules"]

lazy.package(__name__)
