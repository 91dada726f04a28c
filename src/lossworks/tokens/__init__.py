"""Text to numbers: code points and their classes, hashed n-grams, tokenizers of any script and their vocabularies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import lazy

if TYPE_CHECKING:
    from .base import Tokenizer, TokenizerSpec, build, render, tokenizers
    from .saved import load, named
    from .vocabulary import Vocabulary

__all__ = ["Tokenizer", "TokenizerSpec", "Vocabulary", "build", "load", "named", "render", "tokenizers"]

lazy.package(__name__)
