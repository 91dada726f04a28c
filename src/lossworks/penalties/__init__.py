"""Penalties on weights, one a file, found by walking this folder."""

from .base import Penalty, build, penalties, render

__all__ = ["Penalty", "build", "penalties", "render"]
