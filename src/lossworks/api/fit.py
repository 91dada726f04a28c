"""``fit``: from text to a trained model, and the run directory that says everything about it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core import values
from ..core.errors import Interrupted, UsageError
from ..data import PARTS, ReadOptions, load_all, read_options
from ..data.formats.prepared import apart
from ..engine import Callbacks
from ..engine.distributed import World
from ..engine.joining import agreed, check_alone, world
from ..inference import Predictor, TextLanguage
from ..record import Run
from ..record.scratch import temporary
from ..tasks import LABEL_TASKS
from ..training import Fitted, Settings, chosen, fit_corpora
from ..training.applicable import SHARDS
from ..training.sizes import beyond
from .cross_validation import check_folds, judged_by_folds
from .graph import Graph
from .held import as_begun, as_trained
from .language import Language
from .model import Model
from .reading import Source, held_out, reading_for
from .recording import Recorder
from .trackers import named as named_logs

if TYPE_CHECKING:
    from ..training.teaching import Teacher
    from .going_on import Origin


def fit(
    data: Source,
    *,
    valid: Source | float | None = None,
    test: Source | float | None = None,
    out: Path | str | None = None,
    read: ReadOptions | None = None,
    settings: Settings | None = None,
    resume: bool = False,
    folds: int | None = None,
    start: Path | str | None = None,
    callbacks: Callbacks | None = None,
    command: str | None = None,
    log: str | None = None,
    **choices: Any,
) -> Model | Language | Graph:
    """Train on labelled text, train a language model on any text, or a model of a knowledge graph on facts.

    Args:
        data: a file, a pattern that several fit ("*/train.tsv"), a folder with a sub-folder per class, a directory made by
            `lossworks data prepare` (its parts are kept), "-" for stdin, or rows: (text, label) or (text, label, weight) tuples,
            or dicts; where labels may be missing also texts alone. Facts of a graph are (head, relation, tail).
        valid, test: rows held out, given as data of their own, or as shares of ``data`` (0.1 each if not given).
        out: the run directory to make; none is made without it.
        read: which columns to read and how; by default found by looking. Where it says how each row's ``language`` is known, the
            split keeps the share of each.
        settings: everything about the training; or give single ``choices`` of it (``model="bag"``, ``epochs=3``, …). A task of
            "lm", or a family of language models (``model="ngram:order=3"``) on texts without labels, trains a language model; one
            of "graph", or a family such as ``model="complex:dim=256"``, learns to complete facts.
        resume: go on with the run in ``out``, which must have been started by the same call.
        folds: K-fold cross-validation, of texts with labels: the model is trained on all rows but those that it validates on,
            and judged by K more of its kind, each on rows that it was not trained on (``folds.parquet`` in ``out`` has what they
            said). Classes are spread evenly over the folds, equal texts are in one.
        start: the directory of a finished run to go on from. Its weights, the state of its optimizer, its features or tokens
            and its settings are taken, those that are given here over them; labels that it does not know are appended, and it may
            forget: where its own data is still there, its test part is scored before and after (``record["result"]["from"]``).
        callbacks: how to watch and stop the training.
        command: what to put in the record as the command.
        log: where else numbers, settings and the report go, "tensorboard", "wandb", "mlflow", or several: "wandb,mlflow". All
            write into ``out``, and send nothing unless WANDB_MODE or MLFLOW_TRACKING_URI say so. No failure there ends it.

    Returns:
        A ``Language`` where a language model was trained, a ``Graph`` for the task "graph", else a ``Model``.

    Raises:
        DataError, UsageError: the data or the settings do not fit; says where and what to do.
        Diverged, Interrupted, OutOfMemory: training ended early; the run directory says so.
    """
    data, valid, test = apart(data, valid, test)
    shares, given = held_out(valid, test)
    if folds is not None:
        values.whole("folds", folds, least=2)
        usual = Settings().test
        said = usual if settings is None else settings.test  # which is refused below, where it is another
        shares = {"test": 0.0 if said == usual else said, **shares}
    origin = None if start is None else _origin(start)
    settings = chosen(settings, choices | shares) if origin is None else origin.settings(settings, choices | shares)
    _check_length(settings)
    callbacks = callbacks or Callbacks()
    if folds is not None and origin is not None:
        raise UsageError("--folds judges by models that are each trained anew, and --from goes on with one. Leave one out.")
    if folds is not None:
        check_folds(settings, bool(given))
    callbacks = replace(callbacks, began=callbacks.clock())
    _check_place(out, resume, log)
    if settings.by_gradients:
        callbacks = replace(callbacks, world=world(settings.device))
    check_alone(callbacks.world)
    with callbacks.world.telling():
        begun, settings = _dealt(callbacks.world, settings, Path(out or "") if resume else None)
        return _fit(data, given, out, read, settings, begun, resume, callbacks, command, log, folds, origin)


def _check_length(settings: Settings) -> None:
    """Raise UsageError where minutes would be passed over, because another length is asked for too."""
    others = [f"--{name}" for name in ("steps", "epochs") if getattr(settings, name) is not None]
    if settings.minutes is not None and others:
        raise UsageError(f"--minutes says how long training is, and so does {' and '.join(others)}. Leave one of them out.")


def _origin(start: Path | str) -> Origin:
    from .going_on import Origin  # it evaluates, and evaluating imports this

    return Origin(start)


def _teacher(name: str, device: str) -> Teacher:
    from .teaching import open_teacher  # most fits have none

    return open_teacher(name, device)


def _dealt(joined: World, settings: Settings, resumed: Path | None) -> tuple[bool, Settings]:
    """Whether a run is gone on with, and the settings with the number of its shards."""
    begun, before = resumed is not None and (resumed / "run.json").exists(), None
    if resumed is not None and begun and joined.is_first:
        before = dict(Run(resumed).summary.get("given") or {}).get(SHARDS)
    divides = settings.sharding == "fsdp"  # then each process makes one shard, however many there are
    begun, shards = agreed(joined, begun, before, joined.size if divides else settings.shards, settings.device)
    return begun, settings if divides or shards == (settings.shards or 1) else replace(settings, shards=shards)


def _fit(
    data: Source,
    given: list[tuple[Source, int]],
    out: Path | str | None,
    read: ReadOptions | None,
    settings: Settings,
    begun: bool,
    resume: bool,
    callbacks: Callbacks,
    command: str | None,
    log: str | None,
    folds: int | None,
    origin: Origin | None,
) -> Model | Language | Graph:
    """``fit``, once it is known which processes and shards there are."""
    if begun:
        read = _begun_reading(callbacks.world, read, Path(out or ""), settings.device)
    if not callbacks.world.is_first:  # the first process keeps the record
        callbacks = replace(callbacks, checkpoints=None if out is None else Path(out) / "checkpoints")
        out = None
    teacher = None if settings.teach is None else _teacher(settings.teach, settings.device)
    if teacher is not None and settings.of_language and settings.task not in LABEL_TASKS:
        settings = replace(settings, document_unit=settings.document_unit or teacher.document_unit)
    begun_from = None if origin is None else origin.open(settings.device)
    read = read if origin is None else as_trained(read, origin.record)
    sources, reading = [(data, None), *given], reading_for(settings, read)
    is_first = callbacks.world.is_first

    def work(callbacks: Callbacks, scratch: Path) -> Fitted:
        def tell(rows: int, of: float | None) -> None:
            callbacks.watch("rows", {"rows": rows, "of": of})

        with load_all(sources, reading, scratch, beyond(settings), tell) as corpora:
            fixed = [part for _, part in sources]
            try:
                told = callbacks if folds is None else replace(callbacks, watch=_with_folds(callbacks, folds))
                how: dict[str, Any] = {"resume": begun, "teacher": teacher, "start": begun_from}
                fitted = fit_corpora(corpora, fixed, settings, told, scratch=scratch, **how)
                if origin is not None and is_first:
                    fitted.result["from"] = origin.told(fitted, corpora, fixed)
                if folds is None:
                    return fitted
                return judged_by_folds(fitted, corpora[0], folds, settings, callbacks, scratch)
            except KeyboardInterrupt:
                if settings.by_gradients:
                    raise
                raise Interrupted("stopped.", "starts it again") from None

    if out is None:
        with temporary() as scratch:
            fitted = work(callbacks, scratch)
        return trained(fitted, {"data": fitted.data, "config": fitted.settings.to_json(), "result": fitted.result}, None)
    names: dict[str, Any] = {"data": _name(data), **{PARTS[part]: _name(source) for source, part in given}}
    if reading.language is not None:
        names["language"] = reading.language
    if folds is not None:
        names["folds"] = folds
    if origin is not None:
        names["from"] = origin.identity
    recorder = Recorder(Path(out), {**settings.to_json(), **names}, callbacks, command, resume, log)
    return trained(recorder.record(work), recorder.run.summary, recorder.run.path)


def _with_folds(callbacks: Callbacks, folds: int) -> Callable[[str, dict[str, Any]], None]:
    """What watches, told with the data that it is judged by folds."""
    return lambda event, fields: callbacks.watch(event, {**fields, "folds": folds} if event == "data" else fields)


def _begun_reading(joined: World, read: ReadOptions | None, out: Path, device: str) -> ReadOptions:
    """How the run in ``out`` reads its data, which the first process looks up before it writes there."""
    read = as_begun(read, out) if joined.is_first else read_options(read)
    return replace(read, normalize=joined.of_first(read.normalize or "", device) or None)


def trained(fitted: Fitted, record: dict[str, Any], path: Path | None) -> Model | Language | Graph:
    """What was fitted as a user holds it."""
    if isinstance(fitted.trained, Predictor):
        return Model(fitted.trained, record, path)
    if isinstance(fitted.trained, TextLanguage):
        return Language(fitted.trained, fitted.counts, record, path)
    return Graph(fitted.trained, record, path)


def _check_place(out: Path | str | None, resume: bool, log: str | None) -> None:
    if out is not None and not str(out).strip():
        raise UsageError("--out is empty; wanted the directory to make.")
    for flag, wanted in (("--resume goes on with the run in a directory", resume), ("--log writes into a run's directory", log)):
        if wanted and out is None:
            raise UsageError(f"{flag}; say which with --out.")
    named_logs(log)


def _name(source: Any) -> str:
    return str(source) if isinstance(source, str | os.PathLike) else f"{type(source).__name__} of rows"
