"""The command ``lossworks``: one file per verb, each a thin shell around the function of the same name in ``verbs``."""

from .app import main

__all__ = ["main"]
