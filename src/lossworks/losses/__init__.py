"""Losses, one a file. ``lossworks.losses.CrossEntropy`` is a class; ``losses["cross_entropy"]`` its registry entry.

The classes are found by walking this folder, so a new file is all that a new loss needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core import lazy

if TYPE_CHECKING:
    from .base import BinaryLoss, CategoricalLoss, Loss, RegressionLoss, losses
    from .embedding import EmbeddingLoss
    from .preference import Pairs, PreferenceLoss, sequence_logp
    from .sums import build, render

    def __getattr__(name: str) -> Any: ...  # the class of any member


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


def _member(name: str) -> Any:
    from .base import losses

    for entry in losses:
        if entry.thing.__name__ == name:
            return entry.thing
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


lazy.package(__name__, _member)
