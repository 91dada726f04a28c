"""The engine: steps, checkpoints and monitors of whatever has parameters."""

from .callbacks import Callbacks

__all__ = ["Callbacks"]
