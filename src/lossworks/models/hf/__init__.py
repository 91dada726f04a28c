"""Models of Hugging Face's transformers, as language models, as classifiers, and as what gives texts their states."""

from .classifier_spec import HfClassifierSpec
from .frozen import HfFrozenSpec
from .spec import HfSpec

__all__ = ["HfClassifierSpec", "HfFrozenSpec", "HfSpec"]
