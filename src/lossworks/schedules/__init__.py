"""Schedules of the learning rate, one a file, found by walking this folder."""

from .base import Schedule, Scheduler, build, render, schedules
from .length import Clock, Length

__all__ = ["Clock", "Length", "Schedule", "Scheduler", "build", "render", "schedules"]
