"""Model families, one a file or folder, found by walking this one."""

from .base import MICRO, ModelSpec, SequenceNetwork, TextModel, build, build_language, for_labels, is_language, models, render
from .language import LanguageModel, LanguageSpec

__all__ = [
    "MICRO",
    "LanguageModel",
    "LanguageSpec",
    "ModelSpec",
    "SequenceNetwork",
    "TextModel",
    "build",
    "build_language",
    "for_labels",
    "is_language",
    "models",
    "render",
]
