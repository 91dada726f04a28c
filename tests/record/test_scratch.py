"""Temporary folders: gone with their block, and what is said where they cannot be written."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path

import pytest

from lossworks.core.errors import RecordError
from lossworks.record.scratch import temporary


def test_gone(tmp_path: Path) -> None:
    """It is there while the block lasts, whatever ends that."""
    with temporary(tmp_path) as folder:
        (folder / "deep").mkdir()
    assert not folder.exists()
    with pytest.raises(KeyError), temporary(tmp_path) as folder:
        raise KeyError
    assert not folder.exists()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_full(tmp_path: Path, number: int) -> None:
    """A disk that is full names no file; the folder is told, and a remedy."""
    said = rf"temporary file in {tmp_path}: no room\. Free some space there.*TMPDIR"
    with pytest.raises(RecordError, match=said), temporary(tmp_path):
        raise OSError(number, "no room")


def test_removed(tmp_path: Path) -> None:
    """Somebody removes it."""
    with pytest.raises(RecordError, match=r"temporary file.*No such file"), temporary(tmp_path) as folder:
        (folder.rmdir(), (folder / "a").write_text(""))


def test_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be made: of no folder at all is said what the system says."""
    with pytest.raises(RecordError, match=rf"temporary file in {tmp_path}/none: No such file"), temporary(tmp_path / "none"):
        pass
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", list)
    with pytest.raises(RecordError, match="in any folder for such: No usable temporary directory found"), temporary():
        pass


@pytest.mark.parametrize("error", [BrokenPipeError(errno.EPIPE, "gone"), OSError(errno.ENOENT, "none", "/elsewhere/file")])
def test_others(tmp_path: Path, error: OSError) -> None:
    """What is not of writing there stays as it is."""
    with pytest.raises(type(error)) as raised, temporary(tmp_path):
        raise error
    assert raised.value is error
