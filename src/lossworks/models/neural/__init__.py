"""What recurrent networks, Transformers and pretrained models have in common: networks over tokens, and the models they make."""

from .base import LanguageNetwork, NeuralSpec, TextEncoder
from .classifier import Classifier, EncoderSpec
from .model import NeuralModel, load_model
from .predicting import Predicting

__all__ = [
    "Classifier",
    "EncoderSpec",
    "LanguageNetwork",
    "NeuralModel",
    "NeuralSpec",
    "Predicting",
    "TextEncoder",
    "load_model",
]
