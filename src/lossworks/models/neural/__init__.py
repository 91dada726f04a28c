"""Recurrent and Transformer networks over tokens, and the model of language that each makes."""

from .base import LanguageNetwork, NeuralSpec, TextEncoder
from .classifier import Classifier, EncoderSpec
from .encoders import RnnEncoderSpec, TransformerEncoderSpec
from .hf_classifier_spec import HfClassifierSpec
from .hf_spec import HfSpec
from .model import NeuralModel, load_model
from .predicting import Predicting
from .rnn import RnnSpec
from .transformer import TransformerSpec

__all__ = [
    "Classifier",
    "EncoderSpec",
    "HfClassifierSpec",
    "HfSpec",
    "LanguageNetwork",
    "NeuralModel",
    "NeuralSpec",
    "Predicting",
    "RnnEncoderSpec",
    "RnnSpec",
    "TextEncoder",
    "TransformerEncoderSpec",
    "TransformerSpec",
    "load_model",
]
