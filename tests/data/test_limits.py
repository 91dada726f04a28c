"""What a file may ask of memory: the length of a line, and what a packed file unpacks to; both can be raised."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from lossworks.core.errors import DataError, UsageError
from lossworks.data import ReadOptions, limits, load, sources

from .conftest import PACKERS, Writer

LONG = 1_000_000
"""Characters: twice what Python's own buffers for packed files take."""

LINES = ReadOptions(format="lines", unlabelled=True)


@pytest.mark.parametrize(("format", "packing"), [*(("lines", packing) for packing in PACKERS), ("csv", ".zst"), ("jsonl", "")])
def test_long_line(format: str, packing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line longer than the limit is refused by file, line and variable, and never held; with a higher limit it is read."""
    label = {"jsonl": '{"label": "a", "text": "', "csv": "label,text\na,"}.get(format, "")
    content = f"{label}{'x' * LONG}" + '"}' * (format == "jsonl") + "\n"
    path = tmp_path / f"x{packing}"
    path.write_bytes(PACKERS[packing](content.encode()))
    monkeypatch.setattr(limits, "SMALL", 1 << 21)
    monkeypatch.setattr(sources, "CHUNK", 1 << 12)
    options = LINES if format == "lines" else ReadOptions(format=format)
    monkeypatch.setenv(limits.LINE, "30K")
    tracemalloc.start()
    with pytest.raises(DataError, match=rf"x{packing}, line [12]: the line is longer than 30,720 .*MAX_LINE=2G"):
        load(path, options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    if format == "lines" and packing not in (".xz", ".zst"):  # whose frames have buffers of their own
        assert peak < LONG
    monkeypatch.setenv(limits.LINE, "1M")
    assert len(load(path, options).texts([0])[0]) == LONG


def test_array(write: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An array of JSON is held as a whole, so the limit is that of all its lines."""
    path = write([("good", "a")] * 1000, "json")
    monkeypatch.setattr(sources, "CHUNK", 1 << 12)
    monkeypatch.setenv(limits.LINE, "20K")
    with pytest.raises(DataError, match=r"reviews.json: the JSON array \(write it as JSON lines.* longer than 20,480 bytes"):
        load(path)
    monkeypatch.delenv(limits.LINE)
    assert len(load(path)) == 1000


@pytest.mark.parametrize("packing", [packing for packing in PACKERS if packing])
def test_bomb(packing: str, write: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many rows from a few bytes are refused by their ratio, beyond a size that harms nobody; the ratio can be raised."""
    path = write([("good", "a")] * 10_000, "csv", packing)
    assert len(load(path)) == 10_000
    monkeypatch.setattr(limits, "SMALL", 1 << 14)
    monkeypatch.setattr(sources, "CHUNK", 1 << 12)
    monkeypatch.setenv(limits.RATIO, "50")
    with pytest.raises(DataError, match=rf"csv\{packing}: [\d,]+ bytes unpack to [\d,]+ or more, over 50 times .*RATIO=2000"):
        load(path)
    monkeypatch.setenv(limits.RATIO, "1e6")
    assert len(load(path)) == 10_000
    for wrong in ("much", "nan", "0.5"):
        monkeypatch.setenv(limits.RATIO, wrong)
        with pytest.raises(UsageError, match=f"LOSSWORKS_MAX_RATIO is '{wrong}'"):
            load(path)
    monkeypatch.delenv(limits.RATIO)
    monkeypatch.setattr(limits, "SMALL", 1 << 26)
    monkeypatch.setenv(limits.LINE, "long")
    with pytest.raises(UsageError, match="got 'long' as a size"):
        load(path)
