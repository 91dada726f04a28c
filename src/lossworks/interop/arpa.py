"""ARPA files, the text format of n-gram models that KenLM and SRILM read and write."""

from __future__ import annotations

import json
from pathlib import Path

from .. import tokens
from ..api import Language, Model
from ..core.errors import DataError, UsageError
from ..data import ReadOptions
from ..inference import TextLanguage
from ..models.language import Watch
from ..models.ngram import NgramModel, NgramSpec, read_arpa, write_arpa
from ..models.ngram.spelling import SPECIALS
from ..models.pool import PoolModel
from ..models.pool.static import interpolated
from ..training import Settings

_NEVER = -99.0
"""The log10 probability from which on a file means the log of 0."""


def export_arpa(model: Language | Model, path: Path, watch: Watch) -> None:
    """Write an n-gram model, or a linear pool of such, its tokens by their spellings; packed where the name ends in ``.gz``."""
    found = model.model if isinstance(model, Language) else None
    if isinstance(found, PoolModel):
        found = interpolated(found)
    if not isinstance(model, Language) or not isinstance(found, NgramModel):
        kind = model.record.get("config", {}).get("model", "of another kind")
        raise UsageError(
            f"{path.name} would be an ARPA file, which holds n-grams, and the model is {kind}. Name a file that ends in "
            ".onnx (networks), .html or .js (linear, bag), or say --to: transformers go to hf too. --quantize makes any "
            "classifier small."
        )
    words = [model.tokenizer.spelling(token) for token in range(model.tokenizer.vocabulary.size)]
    write_arpa(found, words, path, watch)


def import_arpa(path: Path, watch: Watch, encoding: str = "utf-8") -> tuple[TextLanguage, Settings]:
    """A file whose 1-grams are words that white space parts, ASCII's alone where words hold other. It knows no counts of the
    texts it was learnt from.
    """
    trie, words = read_arpa(path, watch, ReadOptions(encoding=encoding).encoding)
    try:
        tokenizer = _tokenizer(words[len(SPECIALS) :])
    except ValueError as error:
        raise DataError(
            f"{path}: {error}, as white space parts words; so texts cannot be read in them. "
            "Import a model of words, or copy the run directory that the file was exported from."
        ) from None
    probability = trie.levels[1].prob
    assert probability is not None
    ends = bool(probability[tokenizer.vocabulary.end] > _NEVER)
    notes = {"orders": json.dumps([{"order": k, "ngrams": trie.size(k)} for k in range(1, trie.order + 1)])}
    model = NgramModel(trie, tokenizer.vocabulary, ends=ends, notes=notes, origin=str(path))
    settings = Settings(task="lm", model=f"ngram:order={trie.order}", document_unit="line" if ends else "file")
    return TextLanguage(NgramSpec(order=trie.order), tokenizer, model), settings


def _tokenizer(words: list[str]) -> tokens.Tokenizer:
    try:
        return tokens.build("words").restore({"words": words})
    except ValueError:
        return tokens.build("words:ascii=true").restore({"words": words})
