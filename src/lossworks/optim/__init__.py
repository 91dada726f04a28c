"""Optimisers, one a file, found by walking this folder; ``Shell`` applies one, with a penalty, to a model."""

from .base import Optimizer, build, optimizers, render
from .shell import Shell

__all__ = ["Optimizer", "Shell", "build", "optimizers", "render"]
