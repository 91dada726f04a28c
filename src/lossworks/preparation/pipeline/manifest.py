"""The manifest: what was made of what, and what became of every row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xxhash

from ...core.errors import DataError
from ...core.machine import versions
from ...data.corpus import NAMED
from ...data.formats.prepared import FORMAT, KIND
from ...data.splits import PARTS
from ...record import read_object, write_json
from .layout import Layout


def finish(layout: Layout, _: int, output: Path) -> None:
    """Write the manifest ``output``, if the sources are still what was read."""
    job = layout.job
    for source in (*job.sources, *job.against):
        job.check_unchanged(source)
    windows = [f"{window:05}.json" for window in range(len(layout.windows))]
    written = [read_object(job.work / "write" / name) for name in windows]
    tokens = [read_object(job.work / "tokens" / name) for name in windows] if job.wanted.tokenizer else None
    parts = {name: _part(name, written, tokens) for name in PARTS}
    manifest = {
        "kind": KIND,
        "format": FORMAT,
        "version": versions("lossworks")["lossworks"],
        "settings": job.wanted.to_json(),
        "sources": _sources(layout),
        **_labels(layout),
        "counts": _counts(layout, written, parts),
        "tokenizer": None if tokens is None else read_object(job.work / "learn" / "00000.json"),
        "parts": parts,
        "removed": [said["removed"] for said in written],
    }
    write_json(output, manifest)


def _part(name: str, written: Sequence[Any], tokens: Sequence[Any] | None) -> dict[str, Any]:
    """The shards of a part, their tokens with them, and sums of both."""
    shards = []
    for window, said in enumerate(written):
        if name in said["shards"]:
            shards.append({**said["shards"][name], **({} if tokens is None else {"tokens": tokens[window][name]})})
    sums = {key: sum(shard[key] for shard in shards) for key in ("rows", "bytes")}
    counted = {} if tokens is None else {"tokens": sum(shard["tokens"]["tokens"] for shard in shards)}
    return {**sums, **counted, "shards": shards}


def _sources(layout: Layout) -> list[dict[str, Any]]:
    """Of each source: its name, size, rows, bad rows, and fingerprint (of the fingerprints of its pieces)."""
    found = []
    for number, source in enumerate(layout.job.sources):
        own = [said for piece, said in zip(layout.job.pieces, layout.summaries, strict=True) if piece.source == number]
        fingerprint = xxhash.xxh3_128_hexdigest("".join(said["xxh3"] for said in own).encode())
        bad = {"bad": sum(said["bad"] for said in own), "first_bad": [line for said in own for line in said["first_bad"]][:NAMED]}
        rows = sum(said["rows"] for said in own)
        found.append({"name": source.name, "bytes": source.state[0], "rows": rows, **bad, "xxh3": fingerprint})
    return found


def _labels(layout: Layout) -> dict[str, Any]:
    """Whether rows have labels, and the type that these were given in."""
    labelled = [layout.label_names(chunk) is not None for chunk in range(len(layout.paths))]
    types = {layout.summaries[layout.pieces[chunk]]["label_type"] for chunk, has in enumerate(labelled) if has}
    kind = "float" if types == {"int", "float"} else next(iter(types)) if len(types) == 1 else "str"
    return {"labelled": any(labelled), "label_type": kind}


def _counts(layout: Layout, written: Sequence[Any], parts: dict[str, Any]) -> dict[str, Any]:
    """How many rows were read, went for which reason, and stay. ``fails``: each rule alone; ``changed``: by spelling."""
    reasons, fails, changed = Counter[str](), Counter[str](), Counter[str]()
    for said in written:
        reasons.update(said["removed"]["reasons"])
    for said in layout.summaries:
        fails.update(said["failed"])
        changed.update(said["changed"])
    rows, bad = (sum(said[name] for said in layout.summaries) for name in ("rows", "bad"))
    kept = sum(part["rows"] for part in parts.values())
    if rows != bad + reasons.total() + kept:
        raise DataError(
            f"of {rows:,} rows {kept:,} stay and {reasons.total():,} do not. This is a fault of ours; please report it."
        )
    return {"rows": rows, "bad": bad, "removed": dict(reasons), "kept": kept, "fails": dict(fails), "changed": dict(changed)}
