"""Models, one family a file or folder, found by walking this one; ``Predictor`` and ``TextLanguage`` are trained ones."""

from .base import MICRO, ModelSpec, SequenceNetwork, TextModel, build, build_language, for_labels, is_language, models, render
from .generation import Sampling, check_tokens, draws, generate
from .generative import GenerativePredictor, text_logp
from .language import LanguageModel, LanguageSpec
from .network import NetworkPredictor
from .predictor import Predictor
from .task import Task
from .text_language import TextLanguage
from .text_stream import check_stop, pieces

__all__ = [
    "MICRO",
    "GenerativePredictor",
    "LanguageModel",
    "LanguageSpec",
    "ModelSpec",
    "NetworkPredictor",
    "Predictor",
    "Sampling",
    "SequenceNetwork",
    "Task",
    "TextLanguage",
    "TextModel",
    "build",
    "build_language",
    "check_stop",
    "check_tokens",
    "draws",
    "for_labels",
    "generate",
    "is_language",
    "models",
    "pieces",
    "render",
    "text_logp",
]
