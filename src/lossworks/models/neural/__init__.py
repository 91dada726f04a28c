"""Recurrent and Transformer networks over tokens, and the model of language that each makes."""

from .base import LanguageNetwork, NeuralSpec, TextEncoder
from .dtype import fastest_dtype
from .model import FAMILIES, NeuralModel, load_model
from .rnn import RnnSpec
from .transformer import TransformerSpec

__all__ = [
    "FAMILIES",
    "LanguageNetwork",
    "NeuralModel",
    "NeuralSpec",
    "RnnSpec",
    "TextEncoder",
    "TransformerSpec",
    "fastest_dtype",
    "load_model",
]
