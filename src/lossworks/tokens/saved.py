"""``tokenizer.json``, ours or the ``tokenizers`` library's: read back, and refused where it is damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core.errors import LossworksError, RecordError
from ..record import read_json
from .base import FORMAT, Tokenizer, TokenizerSpec, build
from .bpe import BpeSpec


def load(path: Path) -> Tokenizer:
    """The tokenizer in a file that ``Tokenizer.save`` wrote, or the library's. Nothing in it is ever executed.

    Raises:
        RecordError: it is missing, damaged, or of another format.
    """
    saved = read_json(path)
    try:
        return _spec(saved).restore(saved)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, LossworksError) as error:
        what = f"it has no {error}" if isinstance(error, KeyError) else error
        raise RecordError(f"{path} is damaged, or no tokenizer ({what}). Restore it from a copy, or fit again.") from None


def named(spec: str) -> Tokenizer | TokenizerSpec:
    """What ``--tokens`` says: the file of a learned tokenizer, or the spec of one to learn.

    Raises:
        UsageError: an unknown name or key, or a value outside its domain.
        RecordError: the file is missing or damaged.
    """
    return load(Path(spec)) if spec.endswith(".json") else build(spec)


def _spec(saved: Any) -> TokenizerSpec:
    if "model" in saved:
        return BpeSpec()
    if saved["format"] != FORMAT:
        raise RecordError(f"format {saved['format']!r}; this version reads format {FORMAT}")
    return build(saved["tokenizer"])
