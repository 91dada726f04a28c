"""Trained models at work: predictors from raw text to answers, language models with their tokenizers, and text generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import lazy

if TYPE_CHECKING:
    from .beams import Beams, beam_search
    from .counted import CountedPredictor
    from .generation import Sampling, check_tokens, generate, sample_tokens
    from .generative import GenerativePredictor, text_logp
    from .graph import KnowledgeGraph
    from .loading import kept_by, load_predictor
    from .network_predictor import NetworkPredictor
    from .predictor import Predictor
    from .streaming import check_stop, pieces
    from .text_language import TextLanguage, Tokens, same_tokens

__all__ = [
    "Beams",
    "CountedPredictor",
    "GenerativePredictor",
    "KnowledgeGraph",
    "NetworkPredictor",
    "Predictor",
    "Sampling",
    "TextLanguage",
    "Tokens",
    "beam_search",
    "check_stop",
    "check_tokens",
    "generate",
    "kept_by",
    "load_predictor",
    "pieces",
    "same_tokens",
    "sample_tokens",
    "text_logp",
]

lazy.package(__name__)
