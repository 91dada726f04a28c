"""Whole files or nothing."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from lossworks.core.errors import LossworksError, RecordError
from lossworks.record import read_json, write_atomic, write_json
from lossworks.record.files import write_folder


@contextmanager
def small_files(limit: int) -> Iterator[None]:
    """No file may grow beyond ``limit`` bytes: what a full disk is like, without one."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


def test_json_round_trip(tmp_path: Path) -> None:
    """Any script, any depth; readable, with a newline at the end, and no temporary file beside it."""
    value = {"text": "产品 “é”\n\u2028", "numbers": [1, 0.1, 1e300, None, True], "empty": {}}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value
    assert (tmp_path / "a.json").read_text("utf-8").endswith("}\n")
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), np.float64("inf")])
def test_json_has_no_infinity(tmp_path: Path, number: float) -> None:
    """At any depth, what is not finite is written as null and read as None; texts of the same letters stay."""
    write_json(tmp_path / "a.json", {"loss": number, "inf": ["nan", (1.5, number), {"deep": [number]}]})
    assert read_json(tmp_path / "a.json") == {"loss": None, "inf": ["nan", [1.5, None], {"deep": [None]}]}


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_mode_is_that_of_umask(tmp_path: Path, umask: int) -> None:
    """Of JSON and of what safetensors writes, which makes a private file of its own; another's mode is not taken over."""
    before = os.umask(umask)
    try:
        write_json(tmp_path / "a.json", 1)
        write_atomic(tmp_path / "b.safetensors", lambda part: save_file({"w": np.zeros(3)}, part))
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o666 & ~umask}


def _no_space(part: Path) -> None:
    part.write_text("half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _bug(part: Path) -> None:
    part.write_text("half")
    raise ZeroDivisionError


def _interrupt(part: Path) -> None:
    part.write_text("half")
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("write", "error"), [(_no_space, RecordError), (_bug, ZeroDivisionError), (_interrupt, KeyboardInterrupt)]
)
def test_a_writer_that_fails(tmp_path: Path, write: Callable[[Path], None], error: type[BaseException]) -> None:
    """However it fails: the old file stands, no part of the new one is left."""
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(error):
        write_atomic(path, write)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_full_disk(tmp_path: Path) -> None:
    """JSON and tensors alike: an error of the house with the reason and the remedy, and the old file whole."""
    text, tensors = tmp_path / "a.json", tmp_path / "a.safetensors"
    numbers = {"w": np.zeros(20_000)}
    write_json(text, "old")
    with small_files(10_000):
        with pytest.raises(RecordError, match=r"cannot write .*a\.json: File too large\. Free some space"):
            write_json(text, ["x" * 100] * 1000)
        with pytest.raises(RecordError, match=r"cannot write .*a\.safetensors: .*File too large.*--out"):
            write_atomic(tensors, lambda part: save_file(numbers, part))
    assert read_json(text) == "old"
    assert os.listdir(tmp_path) == ["a.json"]


def test_a_place_that_is_none(tmp_path: Path) -> None:
    """No folder, a file where a folder should be, a folder where the file should be: one kind of error."""
    (tmp_path / "file").write_text("")
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    for path in (tmp_path / "none" / "a.json", tmp_path / "file" / "a.json", tmp_path / "folder"):
        with pytest.raises(RecordError, match="cannot write"):
            write_json(path, 1)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_it_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """fsync of the file, then the rename, then fsync of the folder: a power cut leaves the old file or the new one."""
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (order.append(os.readlink(f"/proc/self/fd/{fd}")), fsync(fd)))
    monkeypatch.setattr(Path, "replace", lambda self, to: (order.append("rename"), replace(self, to))[1])
    write_json(tmp_path / "a.json", 1)
    assert order == [f"{tmp_path}/a.json.part", "rename", str(tmp_path)]


@pytest.mark.parametrize(
    "content", [b"", b'{"format": 1, "la', b"\xff\xfe\x00", b"[" * 100_000, b"1" * 5000, b"\x80\x04K\x01.", b'["\\uD800"]']
)
def test_damaged_json(tmp_path: Path, content: bytes) -> None:
    """Empty, cut off, not text, malicious (too deep, too long a number, a pickle, half a character): one error, with the path."""
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=r"run\.json is damaged .*Restore it from a copy, or fit again"):
        read_json(path)


def test_json_that_is_not_there(tmp_path: Path) -> None:
    """Missing, or a folder."""
    with pytest.raises(RecordError, match=r"is missing. Is .* a run directory"):
        read_json(tmp_path / "run.json")
    with pytest.raises(RecordError, match="cannot read"):
        read_json(tmp_path)


@pytest.mark.parametrize("value", [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -0.0])
def test_numbers_keep_every_bit(tmp_path: Path, value: float) -> None:
    """What is read back is the number that was written."""
    write_json(tmp_path / "a.json", value)
    assert json.dumps(read_json(tmp_path / "a.json")) == json.dumps(value)
    assert issubclass(RecordError, LossworksError)


def test_two_who_write_one_file(tmp_path: Path) -> None:
    """Each waits for the other: what is there is always whole, of one of them, and nothing else is left."""
    path, seen, failed = tmp_path / "a.txt", set[bytes](), list[Exception]()

    def writing(letter: bytes) -> None:
        def write(part: Path) -> None:
            with part.open("wb", buffering=0) as file:
                for _ in range(20):
                    file.write(letter)
                    time.sleep(0.0002)

        try:
            for _ in range(15):
                write_atomic(path, write)
                seen.add(path.read_bytes())
        except Exception as error:  # noqa: BLE001
            failed.append(error)

    both = [threading.Thread(target=writing, args=(letter,)) for letter in (b"a", b"b", b"c")]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert not failed
    assert seen <= {b"a" * 20, b"b" * 20, b"c" * 20}
    assert os.listdir(tmp_path) == ["a.txt"]


class Foreign(Exception):
    """A library's own error."""


def test_libraries_of_rust(tmp_path: Path) -> None:
    """A library that writes by itself tells of the system in an error of its own; any other error of it is not ours to tell."""

    def fail(text: str) -> Callable[[Path], object]:
        def write(part: Path) -> None:
            raise Foreign(text)

        return write

    with pytest.raises(RecordError, match=rf"cannot write {tmp_path}/a: No space left on device\. Free"):
        write_atomic(tmp_path / "a", fail("parquet: IO error: nothing left (os error 28)"))
    with pytest.raises(RecordError, match=rf"cannot write {tmp_path}/b: Permission denied\. Free"):
        write_folder(tmp_path / "b", fail("who are you? (os error 13)"), "*")
    with pytest.raises(Foreign, match="a defect"):
        write_atomic(tmp_path / "a", fail("a defect"))
    assert not list(tmp_path.iterdir())
