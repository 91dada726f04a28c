"""The events of a log that may still be growing: only what is new is read."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.errors import RecordError


@dataclass(slots=True)
class Events:
    """The events of ``log.jsonl``; ``all`` holds those read so far, ``read`` goes on to those that have come since.

    What a resumed run did again replaces what the killed one had noted.
    """

    path: Path
    all: list[dict[str, Any]] = field(default_factory=list)
    end: int = 0
    """Bytes read, up to the end of a line: what follows is being written, or was torn by a crash."""
    _lines: int = 0

    def read(self) -> bool:
        """Take in the lines that have come since the last time, and say whether there were any.

        Raises:
            RecordError: a line is damaged, or the log cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                if file.seek(0, os.SEEK_END) < self.end:  # another log than the one that was read
                    self.all, self.end, self._lines = [], 0, 0
                file.seek(self.end)
                news = file.read()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise RecordError(f"cannot read {self.path}: {error.strerror or error}.") from error
        lines = news.split(b"\n")[:-1]  # bytes: a crash may have torn a character too
        for line in lines:
            self._take(line)
            self.end, self._lines = self.end + len(line) + 1, self._lines + 1
        return bool(lines)

    def _take(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            resumed = event["step"] + 0 if event["event"] == "resume" else None
        except (ValueError, TypeError, KeyError, RecursionError):
            raise RecordError(f"{self.path}, line {self._lines + 1} is damaged. Delete that line to read the rest.") from None
        if resumed is not None:
            self.all = [earlier for earlier in self.all if earlier.get("step", 0) <= resumed]
        self.all.append(event)
