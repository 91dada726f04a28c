"""Quality rules, found by walking this folder: named tests with thresholds, each counted.

``GOPHER``, ``C4`` and ``FINEWEB`` are the rules of these collections that depend on no language, as specs; ``SETS`` has them by
name. They are for long web pages: for sentences, verse or tweets lower the ``min`` of ``words``, and leave out ``sentences`` and
``short_lines``.
"""

from .base import Rule, Screened, build, registry, render, screen

GOPHER = (
    "words", "word_length", "symbols", "bullets", "ellipses", "letters", "repeated_lines", "top_ngram:n=2,max=0.2",
    "top_ngram:n=3,max=0.18", "top_ngram:n=4,max=0.16", "repeated_ngrams:n=5,max=0.15", "repeated_ngrams:n=10,max=0.1",
)  # fmt: skip
C4 = ("sentences", "lorem_ipsum", "braces")
FINEWEB = ("line_ends", "short_lines", "repeated_lines:max=1.0,characters=0.1")
SETS = {"gopher": GOPHER, "c4": C4, "fineweb": FINEWEB}

__all__ = ["C4", "FINEWEB", "GOPHER", "SETS", "Rule", "Screened", "build", "registry", "render", "screen"]
