"""Tasks: what is to be predicted of a text."""

from .task import Task

__all__ = ["Task"]
