"""Quality rules, found by walking this folder: named tests with thresholds, each counted.

``GOPHER`` and ``C4`` are the rules of these collections that do not depend on a language, as specs. They are for long web pages:
for sentences, verse or tweets lower ``words:min`` and leave out ``sentences``.
"""

from .base import Rule, Screened, build, registry, render, screen

GOPHER = (
    "words", "word_length", "symbols", "bullets", "ellipses", "letters", "repeated_lines", "top_ngram:n=2,max=0.2",
    "top_ngram:n=3,max=0.18", "top_ngram:n=4,max=0.16", "repeated_ngrams:n=5,max=0.15", "repeated_ngrams:n=10,max=0.1",
)  # fmt: skip
C4 = ("sentences", "lorem_ipsum", "braces")

__all__ = ["C4", "GOPHER", "Rule", "Screened", "build", "registry", "render", "screen"]
