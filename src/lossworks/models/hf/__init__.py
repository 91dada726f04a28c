"""Models of Hugging Face's transformers, as language models, as classifiers, and as what gives texts their states."""

from .classifier_spec import HfClassifierSpec
from .contrastive import HfContrastiveSpec
from .frozen import HfFrozenSpec
from .spec import HfSpec

__all__ = ["HfClassifierSpec", "HfContrastiveSpec", "HfFrozenSpec", "HfSpec"]
