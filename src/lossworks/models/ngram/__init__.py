"""Conditional-probability (n-gram) models: counted, smoothed, kept as a trie in a mapped file."""

from .model import NgramModel
from .spec import NgramSpec

__all__ = ["NgramModel", "NgramSpec"]
