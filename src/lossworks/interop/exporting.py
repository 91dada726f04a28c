"""A run's model in the form of other programs: ARPA, a directory of Hugging Face's, ONNX; and such directories as runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from .. import tokens
from ..core.errors import UnknownName, UsageError
from ..models import NetworkPredictor, TextLanguage, render
from ..models.neural import NeuralModel
from ..models.neural.hf import NeuralHf
from ..train import Control, FittedLanguage, LanguageSettings
from ..verbs import Language, Model, export
from ..verbs.export import imported
from ..verbs.recording import Recorder
from .llama import export_llama, import_llama
from .onnx import export_onnx

FORMATS = ("arpa", "hf", "onnx")
Watch = Callable[[str, dict[str, Any]], None]


def export_run(model: Language | Model, path: Path, to: str, watch: Watch = lambda event, fields: None) -> list[str]:
    """Write a model from ``fit`` or ``load``; what there is to know of the outcome is returned in words.

    Args:
        path: a file, of "hf" a folder.
        to: "arpa", n-grams as KenLM and SRILM read them; "hf", a directory that Hugging Face's transformers, and whatever takes
            such, reads: of a Transformer of ours Llama's; "onnx", networks for any runtime.

    Raises:
        UsageError: the format does not hold such a model.
        RecordError: the place cannot be written.
    """
    if to not in FORMATS:
        raise UnknownName("format", to, FORMATS)
    kind = model.record.get("config", {}).get("model", "of another kind")
    if to == "arpa":
        if not isinstance(model, Language):
            raise UsageError(f"an ARPA file holds n-grams, and the model is {kind}. Fit one with --model ngram.")
        export(model, path, to=to, watch=watch)
        return []
    network = model.model if isinstance(model, Language) else model.predictor
    if to == "onnx":
        if not isinstance(network, NeuralModel | NetworkPredictor):
            raise UsageError(f"an ONNX file holds networks, and the model is {kind}. ARPA files hold n-grams: --to arpa.")
        export_onnx(network, path)
        return []
    if not isinstance(model, Language) or not isinstance(network, NeuralModel):
        raise UsageError(f"a directory of Hugging Face's holds causal language models, and the model is {kind}. Try --to onnx.")
    if isinstance(network, NeuralHf):
        network.within = ""
        network.save(path)
        return []
    library = model.tokenizer.library()
    export_llama(network, path, library)
    if library is None:
        return ["its tokenizer has no form that Hugging Face's programs know, so it was left out: give them token numbers"]
    return []


def import_directory(
    folder: Path | str, out: Path | str, *, control: Control | None = None, command: str | None = None
) -> Language:
    """Make a run directory of a directory of Hugging Face's Llama or Mistral and the ``tokenizer.json`` in it.

    Raises:
        RecordError: a file is missing or damaged, or ``out`` cannot be written.
        UsageError: the model has what ours has not, its weights are pickles, or ``out`` already holds a run.
    """
    recorder = Recorder(Path(out), {"data": str(folder)}, control or Control(), command or "lossworks.import", resume=False)
    fitted: FittedLanguage = recorder.record(partial(_taken, Path(folder)))
    return Language(fitted.trained, None, recorder.run.summary, recorder.run.path)


def _taken(folder: Path, control: Control, scratch: Path) -> FittedLanguage:
    began = time.monotonic()
    tokenizer = tokens.load(folder / "tokenizer.json")
    model = import_llama(folder, start=tokenizer.vocabulary.start, end=tokenizer.vocabulary.end)
    assert model.network.spec is not None
    if model.vocabulary.size != tokenizer.vocabulary.size:
        sizes = f"{model.vocabulary.size} tokens, and its tokenizer.json has {tokenizer.vocabulary.size}"
        raise UsageError(f"the model in {folder} tells {sizes}. Score with it as it is: 'hf:{folder}'.")
    model.vocabulary = tokenizer.vocabulary
    trained = TextLanguage(model.network.spec, tokenizer, model)
    settings = LanguageSettings(task="lm", model=render(model.network.spec), tokens=str(folder / "tokenizer.json"), texts="file")
    note = "it was read from a directory that says nothing of how good it is"
    model.ends = False
    return imported(trained, settings, str(folder), note, control, began)
