"""Text to numbers: code points and their classes, words of any script, vocabularies, hashed n-grams."""

from .vocabulary import Vocabulary

__all__ = ["Vocabulary"]
