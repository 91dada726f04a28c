"""A disk that is full or cannot be written, for real: small file systems in memory."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import REVIEWS, SMALL, Command

Disk = Callable[..., Path]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """``disk(kilobytes, files)``: the mount point of a file system of that size, with so many files, itself among them."""
    point = tmp_path / "disk"
    point.mkdir()

    def mount(kilobytes: int, files: int = 1000) -> Path:
        size = f"size={kilobytes}k,nr_inodes={files}"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", point], capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"cannot mount a file system here: {done.stderr.decode().strip()}")
        return point

    if os.geteuid() != 0:
        pytest.skip("mounting a small file system takes root")
    yield mount
    subprocess.run(["umount", "--lazy", point], capture_output=True, check=False)


@pytest.mark.parametrize("kilobytes", [4, 40, 60, 100, 140, 200, 400, 700])
def test_full(command: Command, disk: Disk, kilobytes: int) -> None:
    """However soon the disk is full (record, log, checkpoint, model, report), it is said, and no file is half written."""
    out = disk(kilobytes) / "run"
    ended = command("fit", REVIEWS, *SMALL, "--checkpoint-every", "0", "--out", out)
    assert ended.code == 2
    assert "No space left on device" in ended.err
    assert "Free some space or choose another place with --out." in ended.err
    assert "Traceback" not in ended.err
    assert not list(out.rglob("*.part"))
    for path in out.rglob("*.json"):
        json.loads(path.read_text("utf-8"))


def test_room_was_made(command: Command, disk: Disk, tmp_path: Path) -> None:
    """After the disk was full and room was made, --resume ends in the same bits."""
    point = disk(60)
    call = ("fit", REVIEWS, *SMALL, "--checkpoint-every", "0", "-q", "--out")
    assert command(*call, point / "run").code == 2
    subprocess.run(["mount", "-o", "remount,size=20m", point], check=True)
    again = ["--resume"] if (point / "run/run.json").exists() else []
    assert command(*call, point / "run", *again).code == 0
    assert command(*call, tmp_path / "whole").code == 0
    assert (point / "run/model.safetensors").read_bytes() == (tmp_path / "whole/model.safetensors").read_bytes()


def test_other_runs_are_untouched(command: Command, disk: Disk) -> None:
    """A run beside it on the full disk stays as it was, and still answers."""
    point = disk(5600)
    assert command("fit", REVIEWS, *SMALL, "-q", "--out", point / "old").code == 0
    before = {path: path.read_bytes() for path in (point / "old").rglob("*") if path.is_file()}
    with (point / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(1024)):
            pass
    assert command("fit", REVIEWS, *SMALL, "-q", "--out", point / "new").code == 2
    ended = command("report", point / "old")
    assert (ended.code, "cannot write" in ended.err) == (2, True)
    assert {path: path.read_bytes() for path in (point / "old").rglob("*") if path.is_file()} == before
    assert command("predict", point / "old", "good").code == 0


@pytest.mark.parametrize(("kilobytes", "files"), [(4, 99), (8, 99), (12, 99), (999, 2), (999, 3)])
@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_answers(command: Command, disk: Disk, fitted: Path, kilobytes: int, files: int, ending: str) -> None:
    """Whatever writes the rows, and whether room is missing for bytes or for files: one error, and the old file is as it was."""
    out = disk(kilobytes, files) / f"out{ending}"
    out.write_text("old")
    ended = command("predict", fitted, REVIEWS, "--out", out)
    assert (ended.code, f"cannot write {out}" in ended.err, "No space left on device" in ended.err) == (2, True, True)
    assert "Free some space or choose another place with --out." in ended.err
    assert ([path.name for path in out.parent.iterdir()], out.read_text()) == ([out.name], "old")


def test_import(command: Command, disk: Disk) -> None:
    """An import that a full disk stopped is made by the same command once there is room; a finished one is never written over."""
    Path("text.txt").write_text("".join(f"a thing and {i}\n" for i in range(60)))
    assert command("fit", "text.txt", "--task", "lm", "--model", "ngram:order=1", "--tokenizer", "words", "--out", "n").code == 0
    assert command("export", "n", "n.arpa").code == 0
    point = disk(60)
    ended = command("import", "n.arpa", "--out", point / "run")
    assert (ended.code, "No space left on device" in ended.err, (point / "run/run.json").exists()) == (2, True, True)
    subprocess.run(["mount", "-o", "remount,size=20m", point], check=True)
    assert command("import", "n.arpa", "--out", point / "run").code == 0
    assert "already holds a run" in command("import", "n.arpa", "--out", point / "run").err


@pytest.mark.parametrize("files", [1, 9])
def test_temporary_files(command: Command, disk: Disk, monkeypatch: pytest.MonkeyPatch, files: int) -> None:
    """The folder for temporary files is full, of files or of bytes: it is named, and the variable that names another."""
    Path("text.txt").write_text("".join(f"a thing and {i}\n" for i in range(4000)))
    assert command("fit", "text.txt", "--task", "lm", "--model", "ngram:order=1", "--tokenizer", "words", "--out", "n").code == 0
    point = disk(4, files)
    with monkeypatch.context() as patched:  # pytest writes such files too
        patched.setattr("tempfile.tempdir", str(point))
        ended = command("evaluate", "n", "text.txt")
    assert ended.code == 2
    assert f"cannot write a temporary file in {point}" in ended.err
    assert "No space left on device. Free some space there" in ended.err


@pytest.mark.parametrize(
    ("name", "said"), [(None, "cannot write a temporary file in "), ("/a/b", "cannot write /a/b: full. Free some space")]
)
def test_nobody_caught_it(command: Command, monkeypatch: pytest.MonkeyPatch, name: str | None, said: str) -> None:
    """A full disk that no part of ours expected is told as one all the same, and not as one of stdout's."""

    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "full", name)

    monkeypatch.setattr("lossworks.cli.app._command", lambda: full)
    ended = command("show", "focal")
    assert (ended.code, said in ended.err, ended.err.count("\n")) == (2, True, 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_stdout_is_full() -> None:
    """Where stdout is what is full, that is said."""
    with Path("/dev/full").open("w") as out:
        ended = subprocess.run(
            [sys.executable, "-m", "lossworks", "list", "losses"], stdout=out, stderr=subprocess.PIPE, text=True
        )
    assert (ended.returncode, ended.stderr) == (2, "lossworks: cannot write to stdout: No space left on device.\n")


def test_read_only(command: Command, disk: Disk) -> None:
    """A place that cannot be written is named."""
    point = disk(100)
    subprocess.run(["mount", "-o", "remount,ro", point], check=True)
    ended = command("fit", REVIEWS, *SMALL, "--out", point / "run")
    assert (ended.code, f"cannot write {point / 'run'}: Read-only file system." in ended.err) == (2, True)
