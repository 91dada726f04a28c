"""The page of texts scored by a language model: tokens shaded by surprisal, and tables of words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .frame import write_page
from .words import Json

_SHADES = 8


def write_scored(name: str, facts: Sequence[str], texts: Sequence[Json], path: Path) -> Path:
    """Write the page of scored texts and return its path.

    Args:
        name: of the model.
        facts: shown below its name.
        texts: each with ``bits``, ``perplexity``, ``tokens`` (``token``, ``bits``, ``probability``, its ``heat`` from 0 to 1),
            ``words`` (``word``, ``bits``, indices of ``tokens``) and ``pieces`` (the ``gap`` before it, ``text``, ``first`` and
            ``last`` of its tokens, ``heat``). Bits are None where infinite.
        path: of the file.

    Raises:
        RecordError: the page cannot be written.
    """
    return write_page("scored.html", {"name": name, "facts": facts, "texts": [_shaded(text) for text in texts]}, path)


def _shaded(text: Json) -> Json:
    """A text whose tokens and pieces each have a shade, 0 to 7, and a title."""
    tokens, pieces = (
        [{**each, "shade": min(int(_SHADES * each["heat"]), _SHADES - 1)} for each in text[kind]] for kind in ("tokens", "pieces")
    )
    for word in text["words"]:
        for number in word["tokens"]:
            tokens[number]["title"] = _title(tokens[number], word)
    for piece in pieces:
        piece["title"] = " · ".join(token["title"] for token in tokens[piece["first"] : piece["last"]])
    return {**text, "tokens": tokens, "pieces": pieces}


def _title(token: Json, word: Json) -> str:
    text = f"{token['token']!r}: {_bits(token['bits'])}, probability {token['probability']:.3g}"
    return text if len(word["tokens"]) == 1 else f"{text}; the word {word['word']!r}: {_bits(word['bits'])}"


def _bits(bits: float | None) -> str:
    return "infinitely many bits" if bits is None else f"{bits:.2f} bits"
