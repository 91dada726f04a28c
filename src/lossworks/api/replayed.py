"""A finished run's training once more, from its record and the data that it names, for ``landscape`` and ``learning``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..core.errors import RecordError, UsageError
from ..core.own import check_trusted
from ..data import ReadOptions, load_all
from ..engine import Callbacks
from ..models import is_language
from ..record import Run
from ..record.scratch import temporary
from ..training import Settings
from ..training.choices import from_values
from ..training.replay import Replayed, flat, replay
from .held import as_split
from .reading import Source
from .run_data import sources as recorded


@dataclass(slots=True)
class Again:
    """A run whose training was repeated. ``saved``: the weights of its model in a row."""

    path: Path
    record: dict[str, Any]
    done: Replayed
    saved: Tensor

    @property
    def is_exact(self) -> bool:
        """Whether it ended in the saved model's bits."""
        return torch.equal(flat(self.done.network), self.saved)


@contextmanager
def replayed(
    run: Path | str,
    given: Mapping[str, Source | None],
    read: ReadOptions | None,
    device: str | None,
    callbacks: Callbacks,
    remedy: str,
    observer: Callable[..., Callable[[], None]] | None = None,
) -> Iterator[Again]:
    """Train once more as the run's record says; its data is open within.

    Args:
        run: a run directory made by ``fit``.
        given: "data", "valid" and "test" that are not where the record says.
        read: which columns to read and how, as it was then.
        device: where to train; where the run was trained, if not given.
        callbacks: how to watch.
        remedy: the command that gives the data where it is not there.
        observer: as of ``training.replay``.

    Raises:
        RecordError: no run, not a finished one, damaged, or of a version that knows other settings.
        UsageError, DataError: the data is not there, or is other data; the run has no training by steps.
    """
    opened = Run(run)
    record = _checked(opened)
    settings = settings_of(opened, record, device)
    sources = recorded(opened.path, record, given, remedy)
    saved = _saved(opened)
    with ExitStack() as stack:
        scratch = stack.enter_context(temporary())
        corpora = stack.enter_context(load_all(sources, as_split(read, record), scratch))
        parts = [part for _, part in sources]
        done = replay(corpora, parts, settings, record, callbacks, scratch=scratch, observer=observer)
        stack.callback(done.close)
        yield Again(opened.path, record, done, saved)


def _checked(run: Run) -> dict[str, Any]:
    """The record of a finished run, with all that is read of it in its place."""
    record = run.summary
    try:
        if record.get("task") == "graph":
            raise UsageError(f"{run.path} holds a model of a knowledge graph, and this is for classifiers and regressions.")
        if is_language(record["config"]["model"]):
            name = record["config"]["model"]
            why = (
                "holds a pool of models that were trained before"
                if name == "pool"
                else "holds a language model, and this is for classifiers and regressions"
                if record.get("task") == "lm"
                else f"holds one {name} a class, fitted in one call: there are no steps or epochs to look at"
            )
            raise UsageError(f"{run.path} {why}. Fit one that is trained by steps: --model linear, bag, …")
        if (status := record["status"]) != "finished":
            raise RecordError(
                f"the run in {run.path} is {status}, so it has no trained weights. Finish it with --resume, or fit again."
            )
        result, data = record["result"], record["data"]
        counts = (result["epochs"], result["best_epoch"], result["micro_batch"], data["rows"])
        spelled = (data["fingerprint"], data["source"], record["config"]["optimizer"])
        wanted = {int: counts, list: (result["scores"],), str: spelled}
        fits = all(isinstance(value, kind) for kind, values in wanted.items() for value in values)
        fits &= result["refit_rows"] is None or isinstance(result["refit_rows"], int)
        if not fits:
            raise TypeError
    except (KeyError, TypeError):
        raise RecordError(f"{run.path / 'run.json'} is damaged. Restore it from a copy, or fit again.") from None
    return record


def settings_of(run: Run, record: dict[str, Any], device: str | None) -> Settings:
    """The settings by which a run can be trained again.

    Raises:
        UsageError: its optimizer was given as Python. RecordError: its settings are those of another version.
    """
    config = {**record["config"], **({"device": device} if device else {})}
    by, own = record.get("lossworks"), version("lossworks")
    if str(config.get("optimizer")).startswith("given:"):
        raise UsageError(
            f"{run.path} was trained by an optimizer given as Python, {config['optimizer'].removeprefix('given:')}, which no "
            "record can hold, so it cannot be trained again. Train with one of: lossworks list optimizers."
        )
    if "from" in record["given"]:
        raise UsageError(
            f"{run.path} went on from {record['given']['from']['run']}, so its data alone cannot train it again. Fit on both "
            "files, without --from, to see this."
        )
    if config.get("teach") is not None:
        raise UsageError(
            f"{run.path} was taught by {config['teach']}, and training it again with its teacher is not supported. Fit "
            "without --teach to see this."
        )
    check_trusted(record, run.path, config)
    try:
        return from_values(config, f"configuration of {run.path}")
    except UsageError as error:
        if device:
            raise
        raise RecordError(f"{run.path}: trained by Lossworks {by}, of which {own} cannot train the same again. {error}") from None


def _saved(run: Run) -> Tensor:
    from ..inference import NetworkPredictor
    from .loading import load_labels

    predictor = load_labels(run.path).predictor
    assert isinstance(predictor, NetworkPredictor)
    return flat(predictor.network)
