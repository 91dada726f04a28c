"""Temporary folders, and what is said where they cannot be written."""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..core.errors import RecordError


@contextmanager
def temporary(parent: Path | None = None) -> Iterator[Path]:
    """A folder for temporary files while the block lasts. parent: where it is made; None: where the system has such.

    Raises:
        RecordError: it cannot be made, or the block cannot write in it (a full disk, permissions, somebody has removed it).
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="lossworks-", dir=parent))
    except OSError as error:
        raise no_room(parent, error) from error
    try:
        yield folder
    except OSError as error:
        if not of_writing(folder, error):
            raise
        raise no_room(parent, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def of_writing(folder: Path, error: OSError) -> bool:
    """Whether an error is of a file in ``folder``; one that a disk is full names no file, and is taken for such."""
    return is_full(error) if error.filename is None else Path(str(error.filename)).is_relative_to(folder)


def is_full(error: OSError) -> bool:
    """Whether a disk, or a user's share of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def no_room(folder: Path | None, error: OSError) -> RecordError:
    """The one message for a temporary file that cannot be written."""
    place = folder or tempfile.tempdir or "any folder for such"  # to ask for the folder raises where there is none
    return RecordError(
        f"cannot write a temporary file in {place}: {error.strerror or error}. "
        "Free some space there, or name a roomier folder with the variable TMPDIR."
    )
