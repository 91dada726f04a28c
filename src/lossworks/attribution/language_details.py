"""What a language model's family itself tells of a text, token by token: surprisals, orders of n-grams, hidden states."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..inference import TextLanguage
from .explanation import finite
from .language_texts import LanguageTexts

MOST_TOKENS = 2_000
"""Of a text that is told of token by token."""


def details(texts: LanguageTexts, number: int) -> tuple[dict[str, Any], ...]:
    """A dict for each token of a text, or of the part that is asked for; none of a text of more than ``MOST_TOKENS``.

    token; characters, the first and the one after the last; probability; bits, its surprisal; and what
    ``LanguageModel.explain`` of the family says, with tokens spelled.
    """
    text = texts.texts[number]
    tokens = texts.language.encode([text]).ids.astype(np.int64).tolist()
    if len(tokens) > MOST_TOKENS:
        return ()
    told, spans = texts.language.model.explain(tokens), texts.language.tokenizer.spans(text).tolist()
    first, last = texts.counted(number)
    spans += [[len(text), len(text)]] * texts.language.model.ends
    rows = zip(told[first:last], spans[first:last], strict=True)
    return tuple(one_token(texts.language, each, span) for each, span in rows)


def one_token(language: TextLanguage, told: dict[str, Any], characters: list[int]) -> dict[str, Any]:
    """What is told of a token, as plain values."""
    p = told["probability"]
    shown = spelled(language, told)
    return {"token": shown.pop("token"), "characters": characters, "bits": -float(np.log2(p)) if p > 0 else None, **shown}


def spelled(language: TextLanguage, told: dict[str, Any]) -> dict[str, Any]:
    """The same with tokens spelled out, and None for what JSON has no number for."""
    spell, shown = language.tokenizer.spelling, dict[str, Any]()
    for key, value in told.items():
        if key == "token":
            shown[key] = spell(value)
        elif key in ("context", "says"):
            shown[key] = [spell(token) for token in value]
        elif isinstance(value, list):
            shown[key] = [spelled(language, each) for each in value]
        else:
            shown[key] = finite(value) if isinstance(value, float) else value
    return shown
