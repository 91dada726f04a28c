"""Arrays in a file: what is written comes back, the library safetensors reads it too, and damage is told."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from lossworks.core.errors import RecordError
from lossworks.record import tensors
from lossworks.record.tensors import map_tensors, write_tensors

ARRAYS = {
    "small": np.arange(5, dtype=np.uint8), "wide": np.linspace(0, 1, 7), "empty": np.empty(0, np.uint16),
    "grid": np.eye(3, dtype=np.float32),
    "long": np.arange(-3, 3), "名": np.array([2**63], np.uint64),
}  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound file."""
    write_tensors(tmp_path / "arrays", ARRAYS, {"order": "3", "note": "ü"})
    return tmp_path / "arrays"


def test_there_and_back(path: Path) -> None:
    """Names, kinds, shapes and values; what is mapped cannot be written to and is aligned."""
    arrays, notes = map_tensors(path)
    assert notes == {"order": "3", "note": "ü"}
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)
        assert not arrays[name].flags.writeable
        assert arrays[name].ctypes.data % array.dtype.itemsize == 0


def test_the_library_reads_it(path: Path) -> None:
    """safetensors finds the same arrays and notes, and we read what it writes."""
    with safe_open(path, framework="numpy") as file:
        assert file.metadata() == {"order": "3", "note": "ü"}
        for name, array in ARRAYS.items():
            np.testing.assert_array_equal(file.get_tensor(name), array)
    save_file(ARRAYS, path)
    for name, array in map_tensors(path)[0].items():
        np.testing.assert_array_equal(array, ARRAYS[name])


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="the system does not tell how memory is mapped")
@pytest.mark.parametrize("scattered", [False, True])
def test_scattered(path: Path, scattered: bool) -> None:
    """Where few places are looked at, the system is told to read nothing around them."""
    arrays, _ = map_tensors(path, scattered=scattered)
    np.testing.assert_array_equal(arrays["wide"], ARRAYS["wide"])
    ours = Path("/proc/self/smaps").read_text().partition(str(path))[2]
    flags = next(line for line in ours.splitlines() if line.startswith("VmFlags:"))
    assert ("rr" in flags.split()) == scattered


def test_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays larger than a piece, mapped or not contiguous, are written whole, and progress is told to the end."""
    monkeypatch.setattr(tensors, "_PIECE", 64)
    np.arange(1000, dtype=np.uint16).tofile(tmp_path / "raw")
    mapped = np.memmap(tmp_path / "raw", np.uint16, "r")
    told: list[tuple[int, int]] = []
    write_tensors(tmp_path / "a", {"m": mapped, "s": np.arange(100)[::2]}, {}, lambda done, of: told.append((done, of)))
    arrays, _ = map_tensors(tmp_path / "a")
    np.testing.assert_array_equal(arrays["m"], np.arange(1000))
    np.testing.assert_array_equal(arrays["s"], np.arange(0, 100, 2))
    assert told[-1] == (2400, 2400)


def test_a_full_disk(path: Path) -> None:
    """What cannot be written leaves what stood there."""
    before = path.read_bytes()

    def fail(done: int, of: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(RecordError, match="No space left"):
        write_tensors(path, ARRAYS, {}, fail)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_truncated(path: Path) -> None:
    """Cut anywhere, or longer than it should be."""
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 7), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(RecordError, match="arrays is damaged"):
            map_tensors(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(RecordError, match="belong to no array"):
        map_tensors(path)


def test_flipped_bits(path: Path) -> None:
    """A header with a bit turned is read or refused; nothing else happens."""
    whole = path.read_bytes()
    header = 8 + struct.unpack("<Q", whole[:8])[0]
    refused = 0
    for place in range(header):
        for bit in range(0, 8, 3):
            changed = bytearray(whole)
            changed[place] ^= 1 << bit
            path.write_bytes(changed)
            try:
                for array in map_tensors(path)[0].values():
                    array.sum()
            except RecordError:
                refused += 1
    assert refused > header


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [4], "data_offsets": [0, 15]}, {"dtype": "F32", "shape": [3], "data_offsets": [4, 16]},
        {"dtype": "F32", "shape": [-4], "data_offsets": [0, -16]}, {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 16]},
        {"dtype": "X1", "shape": [16], "data_offsets": [0, 16]}, {"dtype": "U8", "shape": [16]}, {"dtype": "U8", "shape": 16},
        {"dtype": "U8", "shape": [True] * 3, "data_offsets": [0, "16"]}, [1], None,
        {"dtype": ["U8"], "shape": [16], "data_offsets": [0, 16]}, {"dtype": "U8", "shape": [16.0], "data_offsets": [0, 16]},
        {"dtype": "U8", "shape": [16], "data_offsets": [0, 8, 16]},
    ],
)  # fmt: skip
def test_headers_that_lie(path: Path, entry: object) -> None:
    """Sizes, offsets and kinds that cannot be."""
    header = json.dumps({"w": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))
    with pytest.raises(RecordError, match="damaged"):
        map_tensors(path)


@pytest.mark.parametrize("header", [b"[" * 100_000, b"[]", b"3", b'{"__metadata__":{"a":1}}', b'{"__metadata__":[]}', b"\xff"])
def test_headers_that_are_none(path: Path, header: bytes) -> None:
    """JSON of another kind, and no JSON."""
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(RecordError, match="damaged"):
        map_tensors(path)


def test_missing(tmp_path: Path) -> None:
    """No file, and a folder in its place."""
    with pytest.raises(RecordError, match="is missing"):
        map_tensors(tmp_path / "none")
    with pytest.raises(RecordError, match="cannot read"):
        map_tensors(tmp_path)
