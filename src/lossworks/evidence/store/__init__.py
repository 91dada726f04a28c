"""Where finished trainings are kept: a table in SQLite in the run directory, or in a PostgreSQL database that machines share.

Only finished trainings are written, each in one transaction. One in progress is claimed by a lock that goes with its process (a
file's, or PostgreSQL's advisory one), so a killed training leaves no trace and is done again by whoever comes next.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import RecordError
from ..outcome import Outcome
from .databases import Execute, open_database

FORMAT = 3
"""Of the tables and what is in them. Formats 1 and 2 were Optuna studies."""
TUNE, RUN = "tune", "run"

_TABLES = (
    "CREATE TABLE lossworks_format (version INTEGER NOT NULL)",
    "CREATE TABLE lossworks_trainings (comparison TEXT NOT NULL, stage TEXT NOT NULL, arm INTEGER NOT NULL, "
    "number INTEGER NOT NULL, arm_name TEXT NOT NULL, params TEXT NOT NULL, outcome TEXT NOT NULL, "
    "PRIMARY KEY (comparison, stage, arm, number))",
)
_ONE = "comparison = ? AND stage = ? AND arm = ? AND number = ?"
_ARRAYS = ("rows", "said", "logp", "within")  # of an outcome, kept packed


@dataclass(frozen=True, slots=True)
class Key:
    """One training: the ``number``-th trial of an arm, or its training with seed number ``number``."""

    stage: str
    arm: int
    number: int


Finished = dict[Key, Outcome]


class Store:
    """The finished trainings of the comparison called ``name``, in ``folder`` or in the PostgreSQL database at ``url``.

    Raises:
        RecordError: the database cannot be reached, read or written, or its records are of another format.
        UsageError: ``url`` is of another kind, or there is no driver for it.
    """

    def __init__(self, folder: Path, url: str | None, name: str, arms: list[str]) -> None:
        self.name = name
        self._arms = arms
        self._database = open_database(folder, url)
        self._known: Finished = {}
        with self._database.exclusive() as execute:
            version = _version(execute, self._database.has_table)
        if version != FORMAT:
            raise RecordError(
                f"the storage holds records of format {version} and this version reads format {FORMAT} "
                f"({folder / 'trials.db' if url is None else '--storage'}). "
                "Continue with the version of Lossworks that began it, or choose another --out or --storage."
            )

    def finished(self) -> Finished:
        """Every training that has ended, by whomever it was done."""
        with self._database.connected() as execute:
            order = "ORDER BY stage DESC, arm, number"
            found = execute(f"SELECT stage, arm, number FROM lossworks_trainings WHERE comparison = ? {order}", self.name)
            keys = [Key(*row) for row in found]
            for key in keys:
                if key not in self._known:
                    ((text,),) = execute(f"SELECT outcome FROM lossworks_trainings WHERE {_ONE}", self.name, *astuple(key))
                    self._known[key] = _decoded(key, text)
        return {key: self._known[key] for key in keys}

    def has(self, key: Key) -> bool:
        """Whether a training has ended."""
        with self._database.connected() as execute:
            return bool(execute(f"SELECT 1 FROM lossworks_trainings WHERE {_ONE}", self.name, *astuple(key)))

    def add(self, key: Key, params: dict[str, float], outcome: Outcome) -> None:
        """Keep a finished training; ``params`` are the values of what was tuned. What is there already stays."""
        values = (self.name, *astuple(key), self._arms[key.arm], json.dumps(params), _encoded(outcome))
        with self._database.connected() as execute:
            execute("INSERT INTO lossworks_trainings VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", *values)

    @contextmanager
    def claim(self, key: Key) -> Iterator[bool]:
        """Whether the training is ours to do while the block lasts; it is not while another process is at it."""
        with self._database.lock(f"{self.name}/{key.stage}/{key.arm}/{key.number}") as ours:
            yield ours


def packed(values: NDArray[np.float64]) -> str:
    """Numbers as text: compressed little-endian float64."""
    return base64.b64encode(zlib.compress(values.astype("<f8").tobytes())).decode()


def unpacked(text: str) -> NDArray[np.float64]:
    """The numbers that ``packed`` made text of."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), "<f8").astype(np.float64)


def _version(execute: Execute, has_table: str) -> Any:
    """The format of the records, after making the tables where there are none; whatever a damaged file has in its place."""
    if not execute(has_table, "lossworks_format"):
        if execute(has_table, "study_user_attributes"):
            ((before,),) = execute("SELECT MAX(value_json) FROM study_user_attributes WHERE key = 'lossworks'")
            if before is not None:  # else they are somebody else's Optuna studies
                return before
        for statement in _TABLES:
            execute(statement)
        execute("INSERT INTO lossworks_format VALUES (?)", FORMAT)
    ((version,),) = execute("SELECT MAX(version) FROM lossworks_format")
    return version


def _encoded(outcome: Outcome) -> str:
    value = {field.name: getattr(outcome, field.name) for field in fields(Outcome)}
    return json.dumps(value | {name: None if value[name] is None else packed(value[name]) for name in _ARRAYS})


def _decoded(key: Key, text: Any) -> Outcome:
    """Numbers come back as they were, infinite ones too: Python reads what it wrote."""
    try:
        value = {"logp": None, "within": None, **json.loads(text)}  # missing in earlier records
        value |= {name: None if value[name] is None else unpacked(value[name]) for name in _ARRAYS}
        value |= {name: [tuple(row) for row in value[name]] for name in ("curve", "bins")}
        return Outcome(**value)
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise RecordError(
            f"the storage's record of {key.stage} {key.number} of arm {key.arm} is damaged ({error}). Choose another --out."
        ) from None
