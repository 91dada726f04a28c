"""The two databases that can keep a comparison, behind one interface: SQLite for one machine, PostgreSQL for several.

Every use has a connection of its own, so processes and threads share none and one that was cut off is not used again. A statement
is a transaction by itself, unless in ``exclusive``.
"""

from __future__ import annotations

import hashlib
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from ...core.errors import RecordError, UsageError
from ...record.locks import locked

_PATIENCE = 60  # seconds that a statement waits for another process's
_MAKING = 0x6C6F7373776F726B  # the advisory lock under which the tables are made


Execute = Callable[..., list[tuple[Any, ...]]]
"""Runs a statement with a value for each ``?`` and returns its rows."""


class Database(ABC):
    """What a store needs of a database. Errors of the database itself are raised as RecordError."""

    has_table: str
    """A statement that has a row where the table ``?`` is there."""
    _begin: tuple[str, ...]

    @abstractmethod
    def connected(self) -> AbstractContextManager[Execute]:
        """A connection while the block lasts."""

    @abstractmethod
    def lock(self, name: str) -> AbstractContextManager[bool]:
        """Whether the lock is ours while the block lasts; it is released with the process."""

    @contextmanager
    def exclusive(self) -> Iterator[Execute]:
        """A transaction that begins when those of all other processes have ended."""
        with self.connected() as execute:
            for statement in self._begin:
                execute(statement)
            yield execute
            execute("COMMIT")


def open_database(folder: Path, url: str | None) -> Database:
    """The SQLite file ``trials.db`` in ``folder``, or the PostgreSQL database at ``url``.

    Raises:
        UsageError: the address is not PostgreSQL's, or its driver is not installed.
    """
    if url is None:
        return _Sqlite(folder)
    if not url.startswith(("postgresql://", "postgresql+psycopg://")):
        raise UsageError(
            f"--storage {url!r}: wanted postgresql://…. Without --storage, SQLite in the run directory serves one machine."
        )
    try:
        return _PostgreSql(url.replace("postgresql+psycopg://", "postgresql://"))
    except ImportError:
        raise UsageError('--storage needs the PostgreSQL driver: pip install "lossworks[postgresql]".') from None


class _Sqlite(Database):
    has_table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
    _begin = ("BEGIN IMMEDIATE",)

    def __init__(self, folder: Path) -> None:
        self._file, self._locks = folder.resolve() / "trials.db", folder / "locks"

    @contextmanager
    def connected(self) -> Iterator[Execute]:
        with (
            _translated(sqlite3.Error, str(self._file)),
            closing(sqlite3.connect(self._file, timeout=_PATIENCE, isolation_level=None)) as connection,
        ):
            yield lambda statement, *values: connection.execute(statement, values).fetchall()

    def lock(self, name: str) -> AbstractContextManager[bool]:
        return locked(self._locks / name.replace("/", "-"))


class _PostgreSql(Database):
    has_table = "SELECT 1 WHERE to_regclass(?) IS NOT NULL"
    _begin = ("BEGIN", f"SELECT pg_advisory_xact_lock({_MAKING})")

    def __init__(self, url: str) -> None:
        import psycopg

        self._url, self._driver = url, psycopg

    @contextmanager
    def connected(self) -> Iterator[Execute]:
        def execute(statement: str, *values: Any) -> list[tuple[Any, ...]]:
            cursor = connection.execute(statement.replace("?", "%s").encode(), values)
            return cursor.fetchall() if cursor.description else []

        with (
            _translated(self._driver.Error, "--storage"),
            closing(self._driver.connect(self._url, autocommit=True, keepalives_idle=_PATIENCE)) as connection,
        ):
            yield execute

    @contextmanager
    def lock(self, name: str) -> Iterator[bool]:
        number = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little", signed=True)
        with self.connected() as execute:
            ((ours,),) = execute("SELECT pg_try_advisory_lock(?)", number)
            try:
                yield ours
            finally:
                if ours:
                    with suppress(self._driver.Error):  # with the connection gone, so is the lock
                        execute("SELECT pg_advisory_unlock(?)", number)


@contextmanager
def _translated(errors: type[Exception], which: str) -> Iterator[None]:
    """Raise a database's own errors as ours; ``which`` it is never names a password."""
    try:
        yield
    except errors as error:
        reason = str(error).strip().partition("\n")[0]
        raise RecordError(
            f"the storage of the trainings cannot be used: {reason} ({which}). Check --storage, or the space in --out."
        ) from error
