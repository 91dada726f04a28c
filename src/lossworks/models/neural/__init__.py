"""Recurrent and Transformer networks over tokens, and the model of language that each makes."""

from .base import LanguageNetwork, NeuralSpec, TextEncoder
from .dtype import fastest_dtype
from .model import FAMILIES, NeuralModel, load_model
from .predicting import Predicting
from .rnn import RnnSpec
from .transformer import TransformerSpec

__all__ = [
    "FAMILIES",
    "LanguageNetwork",
    "NeuralModel",
    "NeuralSpec",
    "Predicting",
    "RnnSpec",
    "TextEncoder",
    "TransformerSpec",
    "fastest_dtype",
    "load_model",
]
