"""``fit``: from labelled text to a trained model, and the run directory that says everything about it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .. import report
from ..core.errors import Diverged, Interrupted, LossworksError, RecordError, UnknownName, UsageError
from ..core.machine import machine, versions
from ..record import Run
from ..record.files import unwritable
from ..text import TEST, VALID, Corpus, ReadOptions, load
from ..train import Control, Fitted, Settings, checkpoint, fit_corpora
from .model import Model

Watch = Callable[[str, dict[str, Any]], None]
Source = str | os.PathLike[str] | Iterable[Any]

_LOGGED = ("start", "resume", "search", "train", "valid", "spike", "memory", "checkpoint")


def fit(
    data: Source,
    *,
    valid: Source | float | None = None,
    test: Source | float | None = None,
    out: Path | str | None = None,
    read: ReadOptions | None = None,
    settings: Settings | None = None,
    resume: bool = False,
    control: Control | None = None,
    command: str | None = None,
    **choices: Any,
) -> Model:
    """Train on labelled text.

    Args:
        data: a file, a folder with a sub-folder per class, "-" for stdin, or rows: (text, label) or (text, label, weight)
            tuples, or dicts.
        valid, test: rows held out, given as data of their own, or as shares of ``data`` (0.1 each if not given).
        out: the run directory to make; none is made without it.
        read: which columns to read and how; by default found by looking.
        settings: everything about the training; or give single ``choices`` of it (``model="bag"``, ``epochs=3``, …).
        resume: go on with the run in ``out``, which must have been started by the same call.
        control: how to watch and stop the training.
        command: what to put in the record as the command.

    Raises:
        DataError, UsageError: the data or the settings do not fit; says where and what to do.
        Diverged, Interrupted, OutOfMemory: training ended early; the run directory says so.
    """
    choices |= {name: share for name, share in (("valid", valid), ("test", test)) if isinstance(share, int | float)}
    settings = replace(settings or Settings(), **_known(choices))
    given = [
        (source, part)
        for source, part in ((valid, VALID), (test, TEST))
        if source is not None and not isinstance(source, int | float)
    ]
    control = control or Control()
    if resume and out is None:
        raise UsageError("--resume goes on with the run in a directory; say which with --out.")
    if out is None:
        with tempfile.TemporaryDirectory(prefix="lossworks-") as scratch:
            fitted = _train([(data, None), *given], read, settings, control, Path(scratch), resume=False)
        return Model(fitted.predictor, {"data": fitted.data, "config": fitted.settings.to_json(), "result": fitted.result})
    sources = {"data": _name(data), **{("valid", "test")[part - 1]: _name(source) for source, part in given}}
    recorder = _Recorder(Path(out), {**settings.to_json(), **sources}, control, command, resume)
    return recorder.record([(data, None), *given], read, settings)


def _train(
    sources: list[tuple[Any, int | None]],
    read: ReadOptions | None,
    settings: Settings,
    control: Control,
    scratch: Path,
    *,
    resume: bool,
) -> Fitted:
    corpora: list[Corpus] = []
    with ExitStack() as stack:
        for source, _ in sources:
            corpora.append(load(source, read, spill=scratch))
            stack.callback(corpora[-1].close)
        return fit_corpora(corpora, [part for _, part in sources], settings, control, scratch=scratch, resume=resume)


class _Recorder:
    """Writes the run directory while the training runs."""

    def __init__(self, out: Path, given: dict[str, Any], control: Control, command: str | None, resume: bool) -> None:
        self.resume = resume and (out / "run.json").exists()
        self.run = Run(out) if self.resume else Run.create(out)
        self.control = control
        self.step = 0
        self.before: str | None = None  # fingerprint of the data that the run began with
        self.summary: dict[str, Any] = {
            "lossworks": version("lossworks"),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": command or "lossworks.fit",
            "status": "running",
            "given": given,
            "versions": versions("torch", "numpy", "numba"),
            "machine": machine(),
        }
        if self.resume:
            self._take_up(given)

    def record(self, sources: list[tuple[Any, int | None]], read: ReadOptions | None, settings: Settings) -> Model:
        """Train, and leave a whole record whatever happens."""
        run, scratch = self.run, self.run.path / "scratch"
        control = replace(self.control, watch=self._watch, checkpoints=run.path / "checkpoints")
        try:
            _make_anew(scratch)
            if not self.resume:
                run.write_summary(self.summary)
            fitted = _train(sources, read, settings, control, scratch, resume=self.resume)
            fitted.predictor.save(run.path)
            self.summary |= {"status": "finished", "result": fitted.result}
            run.note("end", step=self.step, seconds=fitted.result["seconds"])
        except LossworksError as error:
            ended = {Diverged: "diverged", Interrupted: "interrupted"}.get(type(error), "failed")
            self.summary |= {"status": ended, "error": str(error)}
            raise
        except KeyboardInterrupt:
            self.summary["status"] = "interrupted"
            raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            self._finish(sys.exc_info()[1])
        return Model(fitted.predictor, run.summary, run.path)

    def _finish(self, error: BaseException | None) -> None:
        """The last words: run.json, the report, and no more checkpoints than are needed."""
        path = self.run.path
        try:
            self.run.close()
            if "data" in self.summary and (path / "log.jsonl").exists():
                self.run.write_summary(self.summary)
                if self.summary["status"] == "finished":
                    checkpoint.remove(path / "checkpoints")
                report.write(path)
            elif not self.resume:  # nothing was begun: leave the place as it was, for the next try
                (path / "run.json").unlink(missing_ok=True)
                path.rmdir()
        except (LossworksError, OSError):
            if error is None:  # a full disk must not hide why training ended
                raise

    def _take_up(self, given: dict[str, Any]) -> None:
        """Check that the run can be gone on with by this call."""
        before, path = self.run.summary, self.run.path
        try:
            status, told, created = before["status"], dict(before["given"]), before["created"]
            self.before = before["data"]["fingerprint"] if "data" in before else None
        except (KeyError, TypeError, ValueError):
            raise RecordError(f"{path / 'run.json'} is damaged. Restore it from a copy, or choose another --out.") from None
        if status == "finished":
            raise UsageError(f"{path} is finished; there is nothing to resume. Choose another --out to fit again.")
        for key in sorted(told.keys() | given.keys()):
            if told.get(key) != given.get(key):
                raise UsageError(
                    f"--resume: {key} was {told.get(key)!r} and is now {given.get(key)!r}. "
                    "Repeat the command as it was, or choose another --out."
                )
        self.summary["created"] = created

    def _watch(self, event: str, fields: dict[str, Any]) -> None:
        self.step = fields.get("step", self.step)
        if event == "data":
            if self.before not in (None, fields["fingerprint"]):
                raise UsageError("--resume: the data is not what it was when the run began. Restore it, or choose another --out.")
            data = {key: value for key, value in fields.items() if key not in ("config", "reason", "task", "labels")}
            self.summary |= {"task": fields["task"], "labels": fields["labels"], "config": fields["config"], "data": data}
            self.run.write_summary(self.summary)
        elif event == "config":
            self.summary["config"] = fields["config"]
            self.run.write_summary(self.summary)
        elif event in _LOGGED:
            self.run.note(event, **fields)
        self.control.watch(event, fields)


def _make_anew(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir()
    except OSError as error:
        raise unwritable(folder, error) from error


def _known(choices: dict[str, Any]) -> dict[str, Any]:
    known = Settings.__dataclass_fields__
    for name in choices:
        if name not in known:
            raise UnknownName("argument of fit:", name, [*known, "out", "read", "resume", "valid", "test"])
    return choices


def _name(source: Any) -> str:
    return str(source) if isinstance(source, str | os.PathLike) else f"{type(source).__name__} of rows"
