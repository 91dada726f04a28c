"""``export`` and ``import``: models of language as files that other programs read and write."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from .. import tokens
from ..core.errors import DataError, UnknownName, UsageError
from ..models import TextLanguage
from ..models.ngram import NgramModel, NgramSpec, read_arpa, write_arpa
from ..models.ngram.spelling import MARKS
from ..train import Control, FittedLanguage, LanguageSettings
from .language import Language
from .recording import Recorder

FORMATS = ("arpa",)
_NEVER = -99.0
"""The log10 probability from which on a file means the log of 0."""

Watch = Callable[[str, dict[str, Any]], None]


def export(model: Language, path: Path | str, *, to: str = "arpa", watch: Watch = lambda event, fields: None) -> None:
    """Write a model of language as a file of another format, which is replaced as a whole or not at all.

    Args:
        model: from ``fit`` or ``load``.
        path: of the file; packed where it ends in ``.gz``.
        to: "arpa", the text format of n-gram models that KenLM and SRILM read.
        watch: told ``("write", {"rows": n-grams done, "of": all})``.

    Raises:
        UsageError: the format does not hold such a model.
        RecordError: the place cannot be written.
    """
    if to not in FORMATS:
        raise UnknownName("format", to, FORMATS)
    if not isinstance(model.model, NgramModel):
        kind = model.record.get("config", {}).get("model", type(model.model).__name__)
        raise UsageError(f"an ARPA file holds n-grams, and the model is {kind}. Fit one with --model ngram.")
    words = [model.tokenizer.spelling(token) for token in range(model.tokenizer.vocabulary.size)]
    write_arpa(model.model, words, Path(path), watch)


def import_arpa(path: Path | str, out: Path | str, *, control: Control | None = None, command: str | None = None) -> Language:
    """Make a run directory of an ARPA file, whose 1-grams are words that white space parts.

    There is nothing in the file of the texts it was learnt from: the run has no figures, ``explain`` no counts, and
    ``evaluate`` no baseline.

    Raises:
        DataError: the file is not there, is damaged, or its 1-grams are no words.
        UsageError, RecordError: ``out`` already holds a run, or cannot be written.
    """
    recorder = Recorder(Path(out), {"data": str(path)}, control or Control(), command or "lossworks.import_arpa", resume=False)
    fitted: FittedLanguage = recorder.record(partial(_taken, Path(path)))
    return Language(fitted.trained, None, recorder.run.summary, recorder.run.path)


def _taken(path: Path, control: Control, scratch: Path) -> FittedLanguage:
    began = time.monotonic()
    trie, words = read_arpa(path, control.watch)
    try:
        tokenizer = tokens.build("words").restore({"words": words[len(MARKS) :]})
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
    spec = NgramSpec(order=trie.order)
    settings = LanguageSettings(model=f"ngram:order={trie.order}", texts="line" if ends else "file")
    trained = TextLanguage(spec, tokenizer, model)
    note = "it was read from an ARPA file, which says nothing of how good it is"
    return imported(trained, settings, str(path), note, control, began)


def imported(
    trained: TextLanguage, settings: LanguageSettings, source: str, note: str, control: Control, began: float
) -> FittedLanguage:
    """A model read from elsewhere as something fitted, of whose texts nothing is known. ``began``: when, monotonic."""
    settings = settings.resolved("lm")
    data = {"source": source, "imported": True, "rows": 0, "skipped": 0, "fingerprint": ""}
    data["vocabulary"] = trained.tokenizer.vocabulary.size
    control.watch("data", {"task": "lm", "labels": None, **data, "config": settings.to_json()})
    result: dict[str, Any] = {"part": None, "rows": 0, "note": note}
    result |= {"facts": trained.model.facts, "seconds": time.monotonic() - began}
    return FittedLanguage(trained, None, settings, data, result)
