"""Models of Hugging Face's transformers, as language models and as classifiers."""

from .classifier_spec import HfClassifierSpec
from .spec import HfSpec

__all__ = ["HfClassifierSpec", "HfSpec"]
