"""What stays, in shards by the parts of the split, and a table of what went: where it stood, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.seeds import generator
from ...data.splits import PARTS, TEST, TRAIN, VALID
from ...record import write_json
from ...record.checksums import checksum
from ...record.files import make_folder, write_atomic
from ...record.tensors import map_tensors, write_tensors
from .. import Texts
from .chunks import EMPTY, text_path
from .duplicates import KEPT
from .layout import Layout


def write(layout: Layout, window: int, output: Path) -> None:
    """The shards of a window and the table of what went of it; ``output`` says what they are. Then the chunks' own copies of the
    texts go, so that the disk holds each text twice at most, with its source.
    """
    fate = map_tensors(layout.job.output("decide", 0))[0]
    first, last = layout.windows[window]
    shards: dict[str, Any] = {}
    kept = [_kept(layout, chunk, fate["state"]) for chunk in range(first, last)]
    for part, name in enumerate(PARTS):
        chosen = [rows[parts == part] for rows, parts in kept]
        if any(map(len, chosen)):
            shards[name] = _write_shard(layout, window, name, dict(zip(range(first, last), chosen, strict=True)))
    write_json(output, {"shards": shards, "removed": _write_removed(layout, window, fate)})
    for chunk in range(first, last):
        text_path(layout.paths[chunk]).unlink(missing_ok=True)


def _kept(layout: Layout, chunk: int, state: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The texts of a chunk that stay, by their place in it, and the part of each: by its hash, so equal ones are together."""
    begin, end = layout.starts[chunk : chunk + 2]
    rows = np.flatnonzero(state[begin:end] == KEPT)
    wanted = layout.job.wanted
    salt = generator(wanted.seed, "prepare", "split").integers(0, 1 << 63, dtype=np.uint64)
    lot = (layout.chunk(chunk)["digest"][rows, 1] ^ salt) * np.uint64(0x9E3779B97F4A7C15)
    share = (lot >> np.uint64(11)).astype(np.float64) / (1 << 53)
    return rows, np.where(share < wanted.test, TEST, np.where(share < wanted.test + wanted.valid, VALID, TRAIN))


def _write_shard(layout: Layout, window: int, part: str, chosen: dict[int, NDArray[np.int64]]) -> dict[str, Any]:
    texts, codes, tables = [], [], []
    for chunk, rows in chosen.items():
        texts.append(layout.chunk_texts(chunk).take(rows))
        names = layout.label_names(chunk)
        tables.append([json.dumps(name, ensure_ascii=False) for name in json.loads(names or "[]")])
        codes.append(np.full(len(rows), -1, np.int32) if names is None else layout.chunk(chunk)["labels"][rows])
    whole = Texts.joined(texts)
    arrays: dict[str, Any] = {"text": whole.bytes, "offsets": whole.offsets}
    notes: dict[str, str] = {}
    table = sorted({name for names in tables for name in names})
    if table:
        index = {name: code for code, name in enumerate(table)}
        maps = [np.array([index[name] for name in names] + [-1], np.int32) for names in tables]  # the last for −1
        arrays["labels"] = np.concatenate([places[code] for places, code in zip(maps, codes, strict=True)])
        notes["labels"] = f"[{', '.join(table)}]"
    path = layout.job.out / part / f"{window:05}.safetensors"
    make_folder(path.parent)
    write_tensors(path, arrays, notes)
    return {"file": f"{part}/{path.name}", "rows": len(whole), "bytes": len(whole.bytes), "xxh3": checksum(path)}


def _write_removed(layout: Layout, window: int, fate: dict[str, Any]) -> dict[str, Any]:
    """A Parquet table of the texts of a window that went: the source and the line, why, and like which other text."""
    import polars as pl

    names = [source.name for source in layout.job.sources]
    columns: dict[str, Any] = {"source": pl.String, "line": pl.Int64, "reason": pl.String}
    columns |= {"of_source": pl.String, "of_line": pl.Int64, "likeness": pl.Float64}
    frames = [pl.DataFrame(schema=columns)]
    for source, lines, reasons, *of in _gone(layout, window, fate):
        of_source, of_lines, likeness = of or ([None] * len(lines),) * 3
        which = [value if isinstance(value, str | None) else names[value] for value in of_source]
        cells = ([names[number] for number in source], lines, reasons, which, of_lines, likeness)
        frames.append(pl.DataFrame(dict(zip(columns, map(list, cells), strict=True)), columns))
    table = pl.concat(frames)
    path = layout.job.out / "removed" / f"{window:05}.parquet"
    make_folder(path.parent)
    write_atomic(path, lambda part: table.write_parquet(part))
    counts = dict(sorted(table["reason"].value_counts().iter_rows()))
    return {"file": f"removed/{path.name}", "rows": len(table), "reasons": counts, "xxh3": checksum(path)}


def _gone(layout: Layout, window: int, fate: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """The texts that went: sources by number, lines, and reasons; and where another text is the reason, its source and line, and
    the likeness.
    """
    wanted = layout.job.wanted
    for chunk in range(*layout.windows[window]):
        arrays = layout.chunk(chunk)
        source, lines = layout.in_source(chunk, arrays["gone"])
        reasons = ["empty" if reason == EMPTY else wanted.rules[reason] for reason in arrays["reason"].tolist()]
        yield [source] * len(lines), lines, reasons
        if "leaked" in arrays:
            lines = layout.in_source(chunk, arrays["leaked"])[1]
            count = len(lines)
            of = ["--against"] * count, arrays["leaked_of"] + 1, arrays["leaked_likeness"]
            yield [source] * count, lines, ["leak"] * count, *of
    first, last = layout.span(window)
    doubles = [map_tensors(layout.job.output("exact", number))[0] for number in range(layout.job.ranges if wanted.exact else 0)]
    for reason, found in (*(("exact", each) for each in doubles), ("near", fate)):
        begin, end = np.searchsorted(found["rows"], (first, last))
        rows, of_rows = found["rows"][begin:end], found["of"][begin:end]
        likeness = found["likeness"][begin:end] if reason == "near" else np.ones(end - begin)
        yield *layout.places(rows), [reason] * len(rows), *layout.places(of_rows), likeness
