"""What recurrent networks, Transformers and pretrained models have in common: networks over tokens, and the models they make."""

from .causal_lm import CausalLM
from .classifier import Classifier, EncoderSpec
from .model import NeuralModel
from .network import LanguageNetwork, TextEncoder
from .spec import NeuralSpec, load_model

__all__ = [
    "CausalLM",
    "Classifier",
    "EncoderSpec",
    "LanguageNetwork",
    "NeuralModel",
    "NeuralSpec",
    "TextEncoder",
    "load_model",
]
