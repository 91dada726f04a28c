"""The two databases that can keep a comparison, behind one interface: SQLite for one machine, PostgreSQL for several.

Every use has a connection of its own, so processes and threads share none and one that was cut off is not used again. A statement
is a transaction by itself, unless in ``exclusive``.
"""

from __future__ import annotations

import fcntl
import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from ...core.errors import RecordError, UsageError
from ...record.files import unwritable

_PATIENCE = 60  # seconds that a statement waits for another process's
_MAKING = 0x6C6F7373776F726B  # the advisory lock under which the tables are made


class Execute(Protocol):
    """Runs a statement with a value for each ``?`` and returns its rows."""

    def __call__(self, statement: str, *values: Any) -> list[tuple[Any, ...]]: ...


class Database(Protocol):
    """What a store needs of a database. Errors of the database itself are raised as RecordError."""

    has_table: str
    """A statement that has a row where the table ``?`` is there."""

    def connected(self) -> AbstractContextManager[Execute]:
        """A connection while the block lasts."""

    def exclusive(self) -> AbstractContextManager[Execute]:
        """A transaction that runs when those of all other processes have ended."""

    def lock(self, name: str) -> AbstractContextManager[bool]:
        """Whether the lock is ours while the block lasts; it is released with the process."""


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


class _Sqlite:
    has_table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"

    def __init__(self, folder: Path) -> None:
        self._file, self._locks = folder.resolve() / "trials.db", folder / "locks"

    @contextmanager
    def connected(self) -> Iterator[Execute]:
        with (
            _translated(sqlite3.Error),
            closing(sqlite3.connect(self._file, timeout=_PATIENCE, isolation_level=None)) as connection,
        ):
            yield lambda statement, *values: connection.execute(statement, values).fetchall()

    @contextmanager
    def exclusive(self) -> Iterator[Execute]:
        with self.connected() as execute:
            execute("BEGIN IMMEDIATE")
            yield execute
            execute("COMMIT")

    @contextmanager
    def lock(self, name: str) -> Iterator[bool]:
        try:
            self._locks.mkdir(exist_ok=True)
            file = (self._locks / name.replace("/", "-")).open("w")
        except OSError as error:
            raise unwritable(self._locks, error) from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                ours = True
            except BlockingIOError:
                ours = False
            except OSError as error:
                raise RecordError(
                    f"cannot lock {file.name}: {error.strerror}. Choose an --out that is on this machine."
                ) from error
            yield ours


class _PostgreSql:
    has_table = "SELECT 1 WHERE to_regclass(?) IS NOT NULL"

    def __init__(self, url: str) -> None:
        import psycopg

        self._url, self._driver = url, psycopg

    @contextmanager
    def connected(self) -> Iterator[Execute]:
        def execute(statement: str, *values: Any) -> list[tuple[Any, ...]]:
            cursor = connection.execute(statement.replace("?", "%s").encode(), values)
            return cursor.fetchall() if cursor.description else []

        with (
            _translated(self._driver.Error),
            closing(self._driver.connect(self._url, autocommit=True, keepalives_idle=_PATIENCE)) as connection,
        ):
            yield execute

    @contextmanager
    def exclusive(self) -> Iterator[Execute]:
        with self.connected() as execute:
            execute("BEGIN")
            execute("SELECT pg_advisory_xact_lock(?)", _MAKING)
            yield execute
            execute("COMMIT")

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
def _translated(errors: type[Exception]) -> Iterator[None]:
    """Raise a database's own errors as ours."""
    try:
        yield
    except errors as error:
        reason = str(error).strip().partition("\n")[0]
        raise RecordError(
            f"the storage of the trainings cannot be used: {reason}. Check --storage, or the space in --out."
        ) from error
