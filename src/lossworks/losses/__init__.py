"""Losses, one a file. ``lossworks.losses.CrossEntropy`` is a class; ``losses["cross_entropy"]`` its registry entry.

The classes are found by walking this folder, so a new file is all that a new loss needs.
"""

from typing import Any

from .base import BinaryLoss, CategoricalLoss, Loss, RegressionLoss, losses
from .embedding import EmbeddingLoss
from .preference import Pairs, PreferenceLoss, sequence_logp
from .sums import build, render

__all__ = [
    "BinaryLoss",
    "CategoricalLoss",
    "EmbeddingLoss",
    "Loss",
    "Pairs",
    "PreferenceLoss",
    "RegressionLoss",
    "build",
    "losses",
    "render",
    "sequence_logp",
]


def __getattr__(name: str) -> Any:
    for entry in losses:
        if entry.thing.__name__ == name:
            return entry.thing
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
