"""Models that other programs wrote, as runs."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

from .. import tokens
from ..api import Language
from ..api.recording import Recorder, is_unfinished
from ..core.errors import DataError, UsageError
from ..engine import Callbacks
from ..inference import TextLanguage
from ..models import render
from ..models.hf.library import predicts_end
from ..training import Fitted, Settings
from ..training.resolving import for_language
from .arpa import import_arpa
from .llama import import_llama


def import_model(
    path: Path | str,
    out: Path | str,
    *,
    encoding: str = "utf-8",
    callbacks: Callbacks | None = None,
    command: str | None = None,
) -> Language:
    """Make a run directory of another program's model.

    Args:
        path: an ARPA file, whose 1-grams are words that white space parts; or a directory of Hugging Face's Llama or Mistral with
            its ``tokenizer.json``.
        out: where to, for ``load``.
        encoding: of an ARPA file.

    Nothing is known of the texts it was learnt from: the run has no figures, and of an ARPA file ``explain`` has no counts and
    ``evaluate`` no baseline.

    Raises:
        DataError, RecordError: a file is missing or damaged, or its 1-grams are no words; or ``out`` cannot be written.
        UsageError: the model has what ours has not, its weights are pickles, or ``out`` already holds a run.
    """
    command, given, out = command or "lossworks.import_model", {"data": str(path)}, Path(out)
    recorder = Recorder(out, given, callbacks or Callbacks(), command, resume=is_unfinished(out))
    fitted: Fitted = recorder.record(partial(_taken, Path(path), encoding))
    assert isinstance(fitted.trained, TextLanguage)
    return Language(fitted.trained, None, recorder.run.summary, recorder.run.path)


def _taken(path: Path, encoding: str, callbacks: Callbacks, scratch: Path) -> Fitted:
    """It as something fitted."""
    began = time.monotonic()
    if path.is_dir() and encoding != "utf-8":
        raise UsageError(f"--encoding is for ARPA files, and {path} is a directory. Leave it out.")
    trained, settings = _llama(path) if path.is_dir() else import_arpa(path, callbacks.watch, encoding)
    settings = for_language(settings, "lm")
    data = {"source": str(path), "imported": True, "rows": 0, "skipped": 0, "fingerprint": ""}
    data["vocabulary"] = trained.tokenizer.vocabulary.size
    callbacks.watch("data", {"task": "lm", "labels": None, **data, "config": settings.to_json()})
    note = "it was made by another program, which says nothing of how good it is"
    result: dict[str, Any] = {"part": None, "rows": 0, "note": note}
    result |= {"facts": trained.model.facts, "seconds": time.monotonic() - began}
    return Fitted(trained, settings, data, result)


def _llama(folder: Path) -> tuple[TextLanguage, Settings]:
    if not (folder / "tokenizer.json").exists():
        raise DataError(
            f"{folder} has no tokenizer.json, so no text can be read in its tokens. Save the model's tokenizer there, or use the "
            "run that it was exported from."
        )
    tokenizer = tokens.load(folder / "tokenizer.json")
    model = import_llama(folder, start=tokenizer.vocabulary.start, end=tokenizer.vocabulary.end)
    assert model.network.spec is not None
    if model.vocabulary.size != tokenizer.vocabulary.size:
        sizes = f"{model.vocabulary.size} tokens, and its tokenizer.json has {tokenizer.vocabulary.size}"
        raise UsageError(f"the model in {folder} tells {sizes}. Score with it as it is: 'hf:{folder}'.")
    model.vocabulary = tokenizer.vocabulary
    model.ends = predicts_end(str(folder))
    unit = "line" if model.ends else "file"
    settings = Settings(task="lm", model=render(model.network.spec), tokenizer=str(folder / "tokenizer.json"), document_unit=unit)
    return TextLanguage(model.network.spec, tokenizer, model), settings
