"""Locks by file: whoever has one is alive, for it goes with its process, however that ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .files import unwritable


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Whether the lock that the file ``path`` stands for is ours while the block lasts; it is not while another process has it.

    The file and its folder are made where they are missing, and stay.

    Raises:
        RecordError: the file cannot be made.
    """
    try:
        path.parent.mkdir(exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise unwritable(path.parent, error) from error
    with file:
        yield taken(file.fileno(), fcntl.LOCK_EX)


def taken(file: int, kind: int) -> bool:
    """Whether the lock of an open file is now ours, shared or alone by its ``kind``; no other process is waited for.

    Raises:
        OSError: the file system has no locks.
    """
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
