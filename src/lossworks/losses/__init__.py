"""Losses, one a file. ``lossworks.losses.CrossEntropy`` is a class; ``losses["cross_entropy"]`` its registry entry.

The classes are found by walking this folder, so a new file is all that a new loss needs.
"""

from typing import Any

from .base import BinaryLoss, CategoricalLoss, Loss, RegressionLoss, losses
from .sums import build, render

__all__ = ["BinaryLoss", "CategoricalLoss", "Loss", "RegressionLoss", "build", "losses", "render"]


def __getattr__(name: str) -> Any:
    for entry in losses:
        if entry.thing.__name__ == name:
            return entry.thing
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
