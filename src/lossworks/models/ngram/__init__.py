"""Conditional-probability (n-gram) models: counted, smoothed, kept as a trie in a mapped file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core import lazy

if TYPE_CHECKING:
    from .arpa_reader import read_arpa
    from .arpa_writer import write_arpa
    from .model import NgramModel, Perplexity

from .spec import NgramSpec

__all__ = ["NgramModel", "NgramSpec", "Perplexity", "read_arpa", "write_arpa"]

lazy.package(__name__)
