"""The run directory while a fit runs: begun, noted in, finished, whatever happens."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .. import report
from ..core import own
from ..core.errors import Diverged, Interrupted, LossworksError, RecordError, UsageError
from ..core.machine import machine, versions
from ..engine import Callbacks, checkpoint
from ..record import Run
from ..record.checksums import checksums
from ..record.files import make_folder, unwritable, write_atomic
from ..record.scratch import of_writing
from ..report.comparison_next import resumed
from .trackers import tracking

_LOGGED = (
    "start",
    "resume",
    "search",
    "train",
    "valid",
    "spike",
    "memory",
    "checkpoint",
    "note",
    "plan",
    "iteration",
    "restart",
    "class",
)

Work = Callable[[Callbacks, Path], Any]
"""From how to watch and a folder for temporary files to something fitted, with a ``result`` and a ``save(folder)``."""


class Recorder:
    """Writes the run directory while the training runs; with a ``log``, to other trackers too."""

    def __init__(
        self, out: Path, given: dict[str, Any], callbacks: Callbacks, command: str | None, resume: bool, log: str | None = None
    ) -> None:
        self.resume = resume and (out / "run.json").exists()
        self.run = Run(out) if self.resume else Run.create(out)
        self.callbacks = callbacks
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
            **own_files(given),
        }
        self.tracked = None if log is None else tracking(log, self.run.path, self.summary, self._warn)

    def record(self, work: Work) -> Any:
        """What ``work`` has fitted; a whole record is left whatever happens."""
        with self.run.held():
            if self.resume:  # now that no other process changes it
                self._take_up(self.summary["given"])
            else:
                Run.create(self.run.path)
            return self._record(work)

    def _record(self, work: Work) -> Any:
        run, scratch = self.run, self.run.path / "scratch"
        callbacks = replace(self.callbacks, watch=self._watch, checkpoints=run.path / "checkpoints")
        try:
            _make_anew(scratch)
            if not self.resume:
                run.write_summary(self.summary)
            fitted = work(callbacks, scratch)
            fitted.save(run.path)
            self.summary |= {"status": "finished", "result": fitted.result, "files": checksums(run.path)}
            run.note("end", step=self.step, seconds=fitted.result["seconds"])
        except OSError as error:
            if not of_writing(run.path, error):
                self.summary |= ended_by(error)
                raise
            failed = unwritable(run.path, error)  # a temporary file in there: somebody has removed the folder, say
            self.summary |= ended_by(failed)
            raise failed from error
        except BaseException as error:
            if isinstance(error, Interrupted) and self.callbacks.world.size == 1:
                error.command = resumed(str(self.summary["command"]), run.path)
            self.summary |= ended_by(error)
            raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            self._finish(sys.exc_info()[1])
        return fitted

    def _finish(self, error: BaseException | None) -> None:
        """The last words: run.json, the report, and no more checkpoints than are needed."""
        path = self.run.path
        try:
            self.run.close()
            if "data" in self.summary and (path / "log.jsonl").exists():
                self._leave_record(path)
            elif not self.resume:  # nothing was begun: leave the place as it was, for the next try
                (path / "run.json").unlink(missing_ok=True)
                path.rmdir()
        except (LossworksError, OSError) as late:
            if error is not None:  # a full disk must not hide why training ended
                return
            self.summary |= ended_by(late)
            with suppress(LossworksError, OSError):
                self.run.write_summary(self.summary)
            raise
        finally:
            if self.tracked is not None:
                self.tracked.close(self.summary["status"], self.summary.get("result"), path / "report.html")

    def _leave_record(self, path: Path) -> None:
        """run.json and the report; what is finished has its report first, so that no record says so without one."""
        if self.summary["status"] != "finished":
            self.run.write_summary(self.summary)
            report.write(path)
            return
        report.write(path, self.summary)
        self.run.write_summary(self.summary)
        checkpoint.remove(path / "checkpoints")

    def _take_up(self, given: dict[str, Any]) -> None:
        """Check that the run can be gone on with by this call."""
        before, path = self.run.summary, self.run.path
        try:
            status, told, created = before["status"], dict(before["given"]), before["created"]
            self.before = before["data"]["fingerprint"] if "data" in before else None
        except (KeyError, TypeError, ValueError):
            raise RecordError(f"{path / 'run.json'} is damaged. Restore it from a copy, or choose another --out.") from None
        if status == "finished":
            self.run.tidy()
            checkpoint.remove(path / "checkpoints")  # a kill between the last record and their removal left them
            raise UsageError(f"{path} is finished; there is nothing to resume. Choose another --out to fit again.")
        for key in sorted(told.keys() | given.keys()):
            if told.get(key) != given.get(key):
                raise UsageError(
                    f"--resume: {key} was {told.get(key)!r} and is now {given.get(key)!r}. "
                    "Repeat the command as it was, or choose another --out."
                )
        check_own_files(before, self.summary, path)
        self.summary["created"] = created

    def _watch(self, event: str, fields: dict[str, Any]) -> None:
        self.step = fields.get("step", self.step)
        if event == "data":
            if self.before not in (None, fields["fingerprint"]):
                raise UsageError("--resume: the data is not what it was when the run began. Restore it, or choose another --out.")
            data = {key: value for key, value in fields.items() if key not in ("config", "reason", "task", "labels")}
            self.summary |= {"task": fields["task"], "labels": fields["labels"], "config": fields["config"], "data": data}
            keep_own_files(self.run.path, self.summary["given"])
            self.run.write_summary(self.summary)
        elif event == "config":
            self.summary["config"] = fields["config"]
            self.run.write_summary(self.summary)
        elif event in _LOGGED:
            self.run.note(event, **fields)
        if self.tracked is not None:
            self.tracked(event, fields)
        self.callbacks.watch(event, fields)

    def _warn(self, text: str) -> None:
        self.callbacks.watch("note", {"text": text})


def own_files(given: Any) -> dict[str, Any]:
    """What a record says of files with losses and the like of the user's own, where settings name some."""
    return {"own": [file.to_json() for file in found]} if (found := own.files_of(given)) else {}


def keep_own_files(folder: Path, given: Any) -> None:
    """Copy these files into a run directory."""
    for file in own.files_of(given):
        make_folder(folder / own.FOLDER)
        write_atomic(folder / own.FOLDER / file.path.name, lambda part, text=file.text: part.write_bytes(text))  # type: ignore[misc]


def check_own_files(before: Mapping[str, Any], now: Mapping[str, Any], path: Path) -> None:
    """Raise UsageError where a run was begun with another content of these files."""
    digests = [{file["names"][0]: file["xxh3"] for file in record.get("own", ())} for record in (before, now)]
    if digests[0] != digests[1]:
        kept = ", ".join(str(path / own.FOLDER / Path(file["kept"]).name) for file in before.get("own", ()))
        raise UsageError(f"--resume: the code is not what it was when the run began, which is kept: {kept}. Name that file.")


def is_unfinished(out: Path) -> bool:
    """Whether a run that did not end is in ``out``: what has no --resume makes it by the same command then."""
    return (out / "run.json").exists() and Run(out).summary.get("status") != "finished"


def ended_by(error: BaseException) -> dict[str, str]:
    """The status that an error leaves a run with, and what it says."""
    stopped = isinstance(error, Interrupted | KeyboardInterrupt)
    status = "interrupted" if stopped else "diverged" if isinstance(error, Diverged) else "failed"
    said = str(error) if isinstance(error, LossworksError | KeyboardInterrupt) else f"{type(error).__name__}: {error}"
    return {"status": status} | ({"error": said} if said else {})


def _make_anew(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir()
    except OSError as error:
        raise unwritable(folder, error) from error
