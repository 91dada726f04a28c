"""Models, one family a file, found by walking this folder; ``Predictor`` is a trained one, ready for raw text."""

from .base import ModelSpec, SequenceNetwork, TextModel, build, models, render
from .language import LanguageModel, LanguageSpec
from .predictor import Predictor
from .task import Task

__all__ = [
    "LanguageModel",
    "LanguageSpec",
    "ModelSpec",
    "Predictor",
    "SequenceNetwork",
    "Task",
    "TextModel",
    "build",
    "models",
    "render",
]
