"""One run directory: create it, note what happens, read it back."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from ..core.errors import RecordError, UsageError
from .events import Events
from .files import Fields, encode_json, read_json, unwritable, write_json
from .locks import taken

FORMAT = 1
RENAMED = {"tokens": "tokenizer", "texts": "document_unit"}
"""Settings that earlier versions spelled otherwise."""
_OBJECTS = ("given", "config", "data", "result", "files")
_LOOKS, _APART = 20, 0.05  # tries to hold a run, and seconds between: who only asks holds it for a moment


class Run:
    """A run directory. ``Run.create`` starts one, ``Run(path)`` opens one that exists."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise RecordError(f"no run directory at {self.path}. `lossworks fit DATA --out {self.path}` makes one.")
        self._log: TextIO | None = None

    @classmethod
    def create(cls, path: Path | str) -> Run:
        """Make the directory; one that already holds a run is never written over."""
        path = Path(path)
        try:
            if (path / "run.json").exists():
                raise UsageError(f"{path} already holds a run{_remedy(path)}, or choose another --out.")
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(path, error) from error
        return cls(path)

    @property
    def summary(self) -> Fields:
        """What ``run.json`` says. A key that it lacks, at any depth, raises RecordError when it is asked for.

        Raises:
            RecordError: missing, damaged, or written in another format.
        """
        path = self.path / "run.json"
        value = read_json(path)
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            found = value.get("format") if isinstance(value, dict) else type(value).__name__
            raise RecordError(f"{path} has format {found!r}; this version reads format {FORMAT}.")
        value = {key: item for key, item in value.items() if item is not None or key not in _OBJECTS}
        if wrong := [key for key in _OBJECTS if not isinstance(value.get(key, {}), dict)]:
            raise RecordError(f"{path} is damaged: {wrong[0]} is no object. Restore it from a copy, or start again.")
        if "config" in value:
            value["config"] = {RENAMED.get(key, key): setting for key, setting in value["config"].items()}
        return Fields(value, path)

    def write_summary(self, value: dict[str, Any]) -> None:
        """Replace ``run.json`` in one step."""
        write_json(self.path / "run.json", {"format": FORMAT, **value})

    def note(self, event: str, **fields: Any) -> None:
        """Append one event to ``log.jsonl``; numbers that are not finite are written as null."""
        line = encode_json({"event": event, **fields})
        try:
            if self._log is None:
                self._log = self._open_log()
            self._log.write(line + "\n")
            self._log.flush()
        except OSError as error:
            self._drop_log()
            raise unwritable(self.path / "log.jsonl", error) from error

    def close(self) -> None:
        """Put the log on the disk and let go of it."""
        if self._log is not None:
            log, self._log = self._log, None
            try:
                with log:
                    os.fsync(log.fileno())
            except OSError as error:
                raise unwritable(self.path / "log.jsonl", error) from error

    def events(self) -> list[dict[str, Any]]:
        """The events in order. What a resumed run did again replaces what the killed one had noted.

        Raises:
            RecordError: a line of the log is damaged.
        """
        events = Events(self.path / "log.jsonl")
        events.read()
        return events.all

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Be the run's one writer while the block lasts. The lock is the directory's and goes with the process.

        Raises:
            RecordError: another process is writing the run.
        """
        try:
            folder = os.open(self.path, os.O_RDONLY)
        except OSError as error:
            raise unwritable(self.path, error) from error
        try:
            with contextlib.suppress(OSError):  # a file system without locks
                for _ in range(_LOOKS):
                    if taken(folder, fcntl.LOCK_EX):
                        break
                    time.sleep(_APART)
                else:
                    raise RecordError(f"another process is writing {self.path}. Wait for its end, or choose another --out.")
            yield
        finally:
            os.close(folder)

    @property
    def is_held(self) -> bool:
        """Whether a process is writing the run. On a file system without locks that is not known, and counts as yes."""
        try:
            folder = os.open(self.path, os.O_RDONLY)
        except OSError as error:
            raise RecordError(f"cannot read {self.path}: {error.strerror or error}.") from error
        try:
            return not taken(folder, fcntl.LOCK_SH)
        except OSError:
            return True
        finally:
            os.close(folder)

    def tidy(self) -> None:
        """Remove what a kill at the very end has left of writing files, which is nothing but their locks."""
        for lock in self.path.glob("*.lock"):
            lock.unlink(missing_ok=True)

    def _open_log(self) -> TextIO:
        """The log, opened for appending, a line torn by a crash cut off first."""
        path = self.path / "log.jsonl"
        if path.exists():
            whole = path.read_bytes().rfind(b"\n") + 1
            os.truncate(path, whole)
        return path.open("a", encoding="utf-8")

    def _drop_log(self) -> None:
        """Let go of a log that could not be written; what it still holds back is lost, as the torn line is."""
        if self._log is not None:
            with contextlib.suppress(OSError):
                self._log.close()
            self._log = None


def _remedy(path: Path) -> str:
    """What became of the run that is in the way, and what can be done about it."""
    try:
        status = read_json(path / "run.json")["status"]
    except (RecordError, KeyError, TypeError):
        status = None
    if status == "failed":
        return ", which failed. Remove the folder, add --resume to go on from its last checkpoint"
    if status == "finished":
        return ", which is finished. Remove the folder"
    return ". Add --resume to continue it"
