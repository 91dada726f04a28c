"""One run directory: create it, note what happens, read it back."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from ..core.errors import RecordError, UsageError
from .files import read_json, unwritable, write_json

FORMAT = 1


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
                raise UsageError(f"{path} already holds a run. Add --resume to continue it, or choose another --out.")
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(path, error) from error
        return cls(path)

    @property
    def summary(self) -> dict[str, Any]:
        """What ``run.json`` says.

        Raises:
            RecordError: missing, damaged, or written in another format.
        """
        value = read_json(self.path / "run.json")
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            found = value.get("format") if isinstance(value, dict) else type(value).__name__
            raise RecordError(f"{self.path / 'run.json'} has format {found!r}; this version reads format {FORMAT}.")
        return value

    def write_summary(self, value: dict[str, Any]) -> None:
        """Replace ``run.json`` in one step."""
        write_json(self.path / "run.json", {"format": FORMAT, **value})

    def note(self, event: str, **fields: Any) -> None:
        """Append one event to ``log.jsonl``."""
        line = json.dumps({"event": event, **fields}, ensure_ascii=False, allow_nan=False)
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
        """The events in order. What a resumed run did again replaces what the killed one had noted."""
        events: list[dict[str, Any]] = []
        for event in self._lines():
            if event["event"] == "resume":
                events = [e for e in events if e.get("step", 0) <= event["step"]]
            events.append(event)
        return events

    def _lines(self) -> Iterator[dict[str, Any]]:
        path = self.path / "log.jsonl"
        if not path.exists():
            return
        lines = path.read_bytes().split(b"\n")  # bytes: a crash may have torn a character too
        for number, line in enumerate(lines[:-1], 1):  # the last piece is empty, or torn by a crash
            try:
                event = json.loads(line)
                if event["event"] == "resume":
                    event["step"] + 0
            except (ValueError, TypeError, KeyError, RecursionError):
                raise RecordError(f"{path}, line {number} is damaged. Delete that line to read the rest.") from None
            yield event

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
