"""How often each language is drawn in training, one rule a file, found by walking this folder."""

from .base import Balance, balances, build, render

__all__ = ["Balance", "balances", "build", "render"]
