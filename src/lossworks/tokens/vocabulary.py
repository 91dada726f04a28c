"""What a language model must know of the tokens it predicts: how many there are, and which are not words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Tokens are the numbers 0 to ``size`` - 1.

    unknown: what stands for every word that is not among them; None where there can be none (bytes).
    start: stands before a text's first token and is never predicted.
    end: stands after its last and is predicted like any other.
    """

    size: int
    unknown: int | None = 0
    start: int = 1
    end: int = 2
