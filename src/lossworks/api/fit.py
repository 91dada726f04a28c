"""``fit``: from text to a trained model, and the run directory that says everything about it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..core.errors import DataError, Interrupted, UsageError
from ..data import TEST, VALID, Corpus, ReadOptions, load_all
from ..engine import Callbacks
from ..engine.distributed import check_alone, world
from ..models import build_language
from ..training import (
    Fitted,
    FittedLanguage,
    LanguageSettings,
    Settings,
    choose,
    fit_corpora,
    fit_generative,
    fit_language,
    with_labels,
)
from .language import Language
from .model import Model
from .recording import Recorder, Work
from .tensorboard import check as check_log

Source = str | os.PathLike[str] | Iterable[Any]
Sources = Sequence[tuple[Any, int | None]]
"""Data, and the part that it was given as; None for what is to be split."""


def fit(
    data: Source,
    *,
    valid: Source | float | None = None,
    test: Source | float | None = None,
    out: Path | str | None = None,
    read: ReadOptions | None = None,
    settings: Settings | LanguageSettings | None = None,
    resume: bool = False,
    control: Callbacks | None = None,
    command: str | None = None,
    log: str | None = None,
    **choices: Any,
) -> Model | Language:
    """Train on labelled text, or learn a model of language from any text.

    Args:
        data: a file, a folder with a sub-folder per class, "-" for stdin, or rows: (text, label) or (text, label, weight)
            tuples, or dicts; where labels may be missing also texts alone.
        valid, test: rows held out, given as data of their own, or as shares of ``data`` (0.1 each if not given).
        out: the run directory to make; none is made without it.
        read: which columns to read and how; by default found by looking.
        settings: everything about the training; or give single ``choices`` of it (``model="bag"``, ``epochs=3``, …). With
            ``task="lm"`` or a family of language models (``model="ngram:order=3"``) those of ``LanguageSettings``.
        resume: go on with the run in ``out``, which must have been started by the same call.
        control: how to watch and stop the training.
        command: what to put in the record as the command.
        log: "tensorboard" writes TensorBoard's event files into ``out``/tensorboard too, while training runs.

    Returns:
        A ``Language`` where a model of language was learnt, else a ``Model``.

    Raises:
        DataError, UsageError: the data or the settings do not fit; says where and what to do.
        Diverged, Interrupted, OutOfMemory: training ended early; the run directory says so.
    """
    choices |= {name: share for name, share in (("valid", valid), ("test", test)) if isinstance(share, int | float)}
    settings = choose(settings, choices)
    given = [
        (source, part)
        for source, part in ((valid, VALID), (test, TEST))
        if source is not None and not isinstance(source, int | float)
    ]
    sources = [(data, None), *given]
    control = control or Callbacks()
    if resume and out is None:
        raise UsageError("--resume goes on with the run in a directory; say which with --out.")
    begun = resume and (Path(out or "") / "run.json").exists()
    if log is not None and out is None:
        raise UsageError("--log writes into the directory of a run; say which with --out.")
    check_log(log)
    if isinstance(settings, LanguageSettings):
        if resume and not settings.by_gradients:
            raise UsageError(f"--resume: what {settings.model} learns is not kept halfway. Fit again, with another --out.")
        if settings.by_gradients:
            control = replace(control, world=world(settings.device))
        work: Work = partial(_learn, sources, read, settings, resume=begun)
    else:
        work = partial(_train, sources, read, settings, resume=begun)
    check_alone(control.world)
    if not control.world.is_first:  # the first process keeps the record
        control = replace(control, checkpoints=None if out is None else Path(out) / "checkpoints")
        out = None
    if out is None:
        with tempfile.TemporaryDirectory(prefix="lossworks-") as scratch:
            fitted = work(control, Path(scratch))
        return _held(fitted, {"data": fitted.data, "config": fitted.settings.to_json(), "result": fitted.result}, None)
    names = {"data": _name(data), **{("valid", "test")[part - 1]: _name(source) for source, part in given}}
    recorder = Recorder(Path(out), {**settings.to_json(), **names}, control, command, resume, log)
    return _held(recorder.record(work), recorder.run.summary, recorder.run.path)


def _held(fitted: Fitted | FittedLanguage, record: dict[str, Any], path: Path | None) -> Model | Language:
    """What was fitted as a user holds it."""
    if isinstance(fitted, FittedLanguage):
        return Language(fitted.trained, fitted.counts, record, path)
    return Model(fitted.predictor, record, path)


def _train(
    sources: Sources, read: ReadOptions | None, settings: Settings, control: Callbacks, scratch: Path, *, resume: bool
) -> Fitted:
    with load_all(sources, read, scratch) as corpora:
        return fit_corpora(corpora, [part for _, part in sources], settings, control, scratch=scratch, resume=resume)


def _learn(
    sources: Sources, read: ReadOptions | None, settings: LanguageSettings, control: Callbacks, scratch: Path, *, resume: bool
) -> Fitted | FittedLanguage:
    """A model of language, or of texts with labels one for each class."""
    read = read or ReadOptions()
    labelled = settings.task == "classify" or (settings.task == "auto" and read.label is not None)
    if not labelled:
        if read.weight is not None:
            raise UsageError("--weight is for texts with labels; a model of language counts every text once. Leave it out.")
        ignored = None if settings.task == "lm" else read.label
        read = replace(read, unlabelled=True, label=ignored, texts=settings.texts)
    try:
        with load_all(sources, read, scratch) as corpora:
            fixed = [part for _, part in sources]
            if labelled or (settings.task == "auto" and any(label is not None for label in corpora[0].labels)):
                _check_labels(corpora)
                if build_language(settings.model).classifier is not None:
                    return fit_corpora(corpora, fixed, with_labels(settings), control, scratch=scratch, resume=resume)
                return fit_generative(corpora, fixed, settings, control, scratch)
            return fit_language(corpora, fixed, settings, control, scratch, resume=resume)
    except KeyboardInterrupt:
        if settings.by_gradients:
            raise
        raise Interrupted("stopped. Nothing is kept of what was half learnt: fit again, with another --out.") from None


def _check_labels(corpora: Sequence[Corpus]) -> None:
    for corpus in corpora:
        missing = [row for row, label in enumerate(corpus.labels) if label is None]
        if missing:
            raise DataError(
                f"{corpus.place(missing[0])}: the label is missing ({len(missing):,} such rows). "
                "Label or remove them, or learn a model of language from all texts: --task lm."
            )


def _name(source: Any) -> str:
    return str(source) if isinstance(source, str | os.PathLike) else f"{type(source).__name__} of rows"
