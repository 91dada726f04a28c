"""``load``: what a run directory holds, ready to use."""

from __future__ import annotations

from pathlib import Path

from ..core.devices import check_device
from ..core.errors import RecordError, UsageError
from ..record import Run, read_object
from ..record.checksums import check_files
from .graph import Graph
from .language import Language
from .model import Model


def load(path: Path | str, device: str = "cpu") -> Model | Language | Graph:
    """The model in a run directory: a ``Language`` where it is a language model, a ``Graph`` where it is of a knowledge graph,
    else a ``Model``. Of ``"hf:PATH"`` the model of Hugging Face there, as it is, over texts as wholes; one that was exported
    here, over texts as it was fitted to.

    Raises:
        RecordError: no such directory, or a file in it is missing or damaged. Nothing in the files is ever executed.
    """
    check_device(device)
    if str(path).startswith("hf:"):
        return _pretrained(str(path), device)
    run = Run(path)
    record = run.summary
    if (status := record.get("status", "finished")) != "finished":
        raise RecordError(f"{path} is not finished: it is {status}. Repeat the command that made it, with --resume.")
    data = record["data"]
    check_files(run.path, record.get("files", {}))  # earlier versions wrote none
    config = read_object(run.path / "config.json")
    task = config["task"]
    if task == "graph":
        from ..inference import KnowledgeGraph

        return Graph(KnowledgeGraph.load(run.path, device), record, run.path)
    if task == "lm":
        from ..inference import TextLanguage
        from ..training.unigrams import read_counts

        trained = TextLanguage.load(run.path, device)
        counts = None if data.get("imported") else read_counts(run.path, trained.model.vocabulary.size)
        return Language(trained, counts, record, run.path)
    if config.get("model") == "pool":
        from ..fusion import labels as _pools  # noqa: F401  # registers what reads it
    from ..inference import load_predictor

    model = Model(load_predictor(run.path, device), record, run.path)
    model.predictor.scores([""])  # compiled code is loaded now, not at the first question
    return model


def _pretrained(spec: str, device: str) -> Language:
    """A model of Hugging Face that was never fitted here, with the tokenizer that stands beside it."""
    from .. import tokens
    from ..inference import TextLanguage
    from ..models import build_language, render
    from ..models.hf import HfSpec
    from ..tokens import Tokenizer

    family = build_language(spec)
    assert isinstance(family, HfSpec)
    tokenizer = tokens.named(family.tokens)
    assert isinstance(tokenizer, Tokenizer)
    model = family.pretrained().to(device)
    unit = "line" if model.ends else "file"
    config = {"model": render(family), "tokenizer": family.tokens, "document_unit": unit, "seed": 0}
    return Language(TextLanguage(family, tokenizer, model), None, {"config": config})


def load_text(path: Path | str, device: str = "cpu") -> Model | Language:
    """The same, of a run that must hold a model of text.

    Raises:
        UsageError: it holds one of a knowledge graph.
        RecordError: as ``load``.
    """
    model = load(path, device)
    if isinstance(model, Graph):
        raise UsageError(f"{path} holds a model of a knowledge graph, which reads no text. Try lossworks predict {path}.")
    return model


def load_answering(path: Path | str, device: str = "cpu") -> Model | Graph:
    """The same, of a run that must hold a classifier, a regression or a model of a knowledge graph.

    Raises:
        UsageError: it holds a language model.
        RecordError: as ``load``.
    """
    model = load(path, device)
    if isinstance(model, Language):
        raise UsageError(
            f"{path} holds a language model, which knows no labels. Try lossworks score {path}, or next, or generate."
        )
    return model


def load_labels(path: Path | str, device: str = "cpu") -> Model:
    """The same, of a run that must hold a classifier or regression.

    Raises:
        UsageError: it holds a language model, or one of a knowledge graph.
        RecordError: as ``load``.
    """
    model = load_answering(path, device)
    if isinstance(model, Graph):
        raise UsageError(f"{path} holds a model of a knowledge graph, which knows no labels. Try lossworks predict {path}.")
    return model


def load_language(path: Path | str, device: str = "cpu") -> Language:
    """The same, of a run that must hold a language model.

    Raises:
        UsageError: it holds none.
        RecordError: as ``load``.
    """
    model = load(path, device)
    if not isinstance(model, Language):
        raise UsageError(f"{path} holds no language model. Try lossworks predict {path}; --task lm trains one.")
    return model


def load_run(path: Path | str) -> Run:
    """The record of a run: ``.summary`` is run.json, ``.events()`` the log."""
    return Run(path)
