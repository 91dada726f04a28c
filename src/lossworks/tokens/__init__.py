"""Text to numbers: code points and their classes, hashed n-grams, tokenizers of any script and their vocabularies."""

from .base import Tokenizer, TokenizerSpec, build, render, tokenizers
from .saved import load, named
from .vocabulary import Vocabulary

__all__ = ["Tokenizer", "TokenizerSpec", "Vocabulary", "build", "load", "named", "render", "tokenizers"]
