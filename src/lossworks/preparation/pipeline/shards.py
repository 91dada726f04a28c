"""The last stages: what stays, in shards by the parts of the split; what went, with the reason; tokens; and the manifest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import tokens
from ...core.errors import DataError
from ...core.seeds import generator
from ...data.formats.prepared import FORMAT, KIND
from ...data.splits import PARTS
from ...record import read_object, write_json
from ...record.checksums import checksum
from ...record.files import unwritable, write_atomic
from ...record.tensors import map_tensors, write_tensors
from ...tokens import Tokenizer
from .. import Texts
from .chunks import EMPTY
from .duplicates import EXACT, KEPT, NEAR
from .layout import Layout

TOKENIZER = "tokenizer.json"
_LEARNED_FROM = 100 << 20  # bytes of texts, evenly over the training part, that a tokenizer is learned from at most
_AT_ONCE = 4 << 20


def write(layout: Layout, window: int, output: Path) -> None:
    """The shards of a window and the table of what went of it; ``output`` says what they are."""
    fate = map_tensors(layout.job.output("decide", 0))[0]
    first, last = layout.windows[window]
    shards: dict[str, Any] = {}
    kept = [_kept(layout, chunk, fate["state"]) for chunk in range(first, last)]
    for part, name in enumerate(PARTS):
        chosen = [rows[parts == part] for rows, parts in kept]
        if any(map(len, chosen)):
            shards[name] = _write_shard(layout, window, name, dict(zip(range(first, last), chosen, strict=True)))
    write_json(output, {"shards": shards, "removed": _write_removed(layout, window, fate)})


def learn(layout: Layout, _: int, output: Path) -> None:
    """The tokenizer: the one given, or one learned from the training part."""
    wanted = layout.job.wanted.tokenizer or ""
    made = tokens.named(wanted)
    if not isinstance(made, Tokenizer):
        paths = [layout.job.out / said["train"]["file"] for said in _shards(layout) if "train" in said]
        if not paths:
            raise DataError(f"nothing is left to learn the tokenizer {wanted} from. The rules, or --against, leave out every text.")
        made = made.learn(_sample(paths, _LEARNED_FROM // len(paths)))
    made.save(layout.job.out / TOKENIZER)
    write_json(output, {"file": TOKENIZER, "vocabulary": made.vocabulary.size, "digest": made.digest()})


def tokenize(layout: Layout, window: int, output: Path) -> None:
    """The tokens of a window's shards, each beside it."""
    made, found = tokens.load(layout.job.out / TOKENIZER), {}
    for name, said in _shards(layout)[window].items():
        arrays = map_tensors(layout.job.out / said["file"])[0]
        texts = Texts(arrays["text"], arrays["offsets"])
        blocks = [made.encode(texts.part(*span).strings()) for span in _spans(texts)]
        ids = np.concatenate([np.empty(0, made.dtype), *(ids for ids, _ in blocks)]).astype(made.dtype)
        lengths = np.concatenate([np.zeros(1, np.int64), *(np.diff(offsets) for _, offsets in blocks)])
        path = layout.job.out / name / f"{window:05}.tokens.safetensors"
        write_tensors(path, {"ids": ids, "offsets": lengths.cumsum()}, {})
        found[name] = {"file": f"{name}/{path.name}", "tokens": len(ids), "xxh3": checksum(path)}
    write_json(output, found)


def finish(layout: Layout, _: int, output: Path) -> None:
    """The manifest ``output``."""
    job = layout.job
    for source in (*job.sources, *job.against):
        job.check_unchanged(source)
    written = [read_object(job.work / "write" / f"{window:05}.json") for window in range(len(layout.windows))]
    token = [read_object(job.work / "tokens" / f"{window:05}.json") if job.wanted.tokenizer else {} for window in range(len(written))]
    parts: dict[str, Any] = {}
    for name in PARTS:
        both = zip(written, token, strict=True)
        shards = [{**said["shards"][name], **({"tokens": of[name]} if name in of else {})} for said, of in both if name in said["shards"]]
        parts[name] = {**{key: sum(shard[key] for shard in shards) for key in ("rows", "bytes")}, "shards": shards}
        if job.wanted.tokenizer:
            parts[name]["tokens"] = sum(shard["tokens"]["tokens"] for shard in shards)
    from ... import __version__

    manifest = {
        "kind": KIND,
        "format": FORMAT,
        "version": __version__,
        "settings": job.wanted.to_json(),
        "sources": _sources(layout),
        **_labels(layout),
        "counts": _counts(layout, written, parts),
        "tokenizer": read_object(job.work / "learn" / "00000.json") if job.wanted.tokenizer else None,
        "parts": parts,
        "removed": [said["removed"] for said in written],
    }
    write_json(output, manifest)


def _kept(layout: Layout, chunk: int, state: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The texts of a chunk that stay, by their place in it, and the part of each: by its hash, so that equal texts are together."""
    begin, end = layout.starts[chunk : chunk + 2]
    rows = np.flatnonzero(state[begin:end] == KEPT)
    wanted = layout.job.wanted
    salt = generator(wanted.seed, "prepare", "split").integers(0, 1 << 63, dtype=np.uint64)
    lot = (layout.chunk(chunk)["digest"][rows, 1] ^ salt) * np.uint64(0x9E3779B97F4A7C15)
    share = (lot >> np.uint64(11)).astype(np.float64) / (1 << 53)
    return rows, np.where(share < wanted.test, 2, np.where(share < wanted.test + wanted.valid, 1, 0))


def _write_shard(layout: Layout, window: int, part: str, chosen: dict[int, NDArray[np.int64]]) -> dict[str, Any]:
    texts, codes, tables = [], [], []
    for chunk, rows in chosen.items():
        arrays = layout.chunk(chunk)
        texts.append(Texts(arrays["text"], arrays["offsets"]).take(rows))
        names = layout.label_names(chunk)
        tables.append([json.dumps(name, ensure_ascii=False) for name in json.loads(names or "[]")])
        codes.append(np.full(len(rows), -1, np.int32) if names is None else arrays["labels"][rows])
    whole = Texts.joined(texts)
    arrays, notes = {"text": whole.bytes, "offsets": whole.offsets}, {}
    table = sorted({name for names in tables for name in names})
    if table:
        index = {name: code for code, name in enumerate(table)}
        maps = [np.array([index[name] for name in names] + [-1], np.int32) for names in tables]  # the last for −1
        arrays["labels"] = np.concatenate([places[code] for places, code in zip(maps, codes, strict=True)])
        notes["labels"] = f"[{', '.join(table)}]"
    path = layout.job.out / part / f"{window:05}.safetensors"
    _folder(path.parent)
    write_tensors(path, arrays, notes)
    return {"file": f"{part}/{path.name}", "rows": len(whole), "bytes": len(whole.bytes), "xxh3": checksum(path)}


def _write_removed(layout: Layout, window: int, fate: dict[str, Any]) -> dict[str, Any]:
    """A Parquet table of the texts of a window that went: the source and the line, why, and like which other text."""
    import polars as pl

    job = layout.job
    names = np.array([source.name for source in job.sources], object)
    empty: dict[str, Any] = {"source": [], "line": [], "reason": [], "of_source": [], "of_line": [], "likeness": []}
    schema = {"source": pl.String, "line": pl.Int64, "reason": pl.String, "of_source": pl.String, "of_line": pl.Int64, "likeness": pl.Float64}
    frames = [pl.DataFrame(empty, schema)]

    def add(source: Any, line: Any, reason: Any, of_source: Any = None, of_line: Any = None, likeness: Any = None) -> None:
        columns = (source, line, reason, of_source, of_line, likeness)
        count = len(line)
        filled = [[value] * count if value is None or isinstance(value, str) else list(value) for value in columns]
        frames.append(pl.DataFrame(dict(zip(schema, filled, strict=True)), schema))

    for chunk in range(*layout.windows[window]):
        arrays = layout.chunk(chunk)
        source, lines = layout.in_source(chunk, arrays["gone"])
        reasons = ["empty" if reason == EMPTY else job.wanted.rules[reason] for reason in arrays["reason"].tolist()]
        add(names[source], lines, reasons)
        if "leaked" in arrays:
            lines = layout.in_source(chunk, arrays["leaked"])[1]
            add(names[source], lines, "leak", "against", arrays["leaked_of"] + 1, arrays["leaked_likeness"])
    first, last = layout.span(window)
    for reason, rows, of, likeness in _doubles(layout, fate, first, last):
        (sources, lines), (of_sources, of_lines) = layout.places(rows), layout.places(of)
        add(names[sources], lines, reason, names[of_sources], of_lines, likeness)
    table = pl.concat(frames)
    path = job.out / "removed" / f"{window:05}.parquet"
    _folder(path.parent)
    write_atomic(path, lambda part: table.write_parquet(part))
    counts = dict(sorted(table["reason"].value_counts().iter_rows()))
    return {"file": f"removed/{path.name}", "rows": len(table), "reasons": counts, "xxh3": checksum(path)}


def _doubles(
    layout: Layout, fate: dict[str, Any], first: int, last: int
) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]:
    """Texts from ``first`` to ``last`` that went for an earlier one's sake: why, which, of which, and how like it is."""
    for number in range(layout.job.ranges if layout.job.wanted.exact else 0):
        found = map_tensors(layout.job.output("exact", number))[0]
        begin, end = np.searchsorted(found["rows"], (first, last))
        yield "exact", found["rows"][begin:end], found["of"][begin:end], np.ones(end - begin)
    begin, end = np.searchsorted(fate["rows"], (first, last))
    yield "near", fate["rows"][begin:end], fate["of"][begin:end], fate["likeness"][begin:end]


def _shards(layout: Layout) -> list[Any]:
    return [read_object(layout.job.work / "write" / f"{window:05}.json")["shards"] for window in range(len(layout.windows))]


def _spans(texts: Texts) -> Iterator[tuple[int, int]]:
    """Runs of texts of some megabytes."""
    first = 0
    while first < len(texts):
        last = max(first + 1, int(texts.offsets.searchsorted(texts.offsets[first] + _AT_ONCE, "right")) - 1)
        yield first, last
        first = last


def _sample(paths: Sequence[Path], most: int) -> Iterator[list[str]]:
    """The first texts of each shard."""
    for path in paths:
        arrays = map_tensors(path)[0]
        texts = Texts(arrays["text"], arrays["offsets"])
        for first, last in _spans(texts):
            if first and texts.offsets[last] > most:
                break
            yield texts.part(first, last).strings()


def _sources(layout: Layout) -> list[dict[str, Any]]:
    """Of each source: its name, size, rows, bad rows, and fingerprint (of the fingerprints of its pieces)."""
    import xxhash

    found = []
    for number, source in enumerate(layout.job.sources):
        own = [said for piece, said in zip(layout.job.pieces, layout.summaries, strict=True) if piece.source == number]
        fingerprint = xxhash.xxh3_128_hexdigest("".join(said["xxh3"] for said in own).encode())
        bad = {"bad": sum(said["bad"] for said in own), "first_bad": [line for said in own for line in said["first_bad"]][:5]}
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
    reasons: dict[str, int] = {}
    for said in written:
        for reason, count in said["removed"]["reasons"].items():
            reasons[reason] = reasons.get(reason, 0) + count
    totals = {name: {} for name in ("failed", "changed")}
    for said in layout.summaries:
        for name, total in totals.items():
            for key, count in said[name].items():
                total[key] = total.get(key, 0) + count
    rows, bad = (sum(said[name] for said in layout.summaries) for name in ("rows", "bad"))
    kept = sum(part["rows"] for part in parts.values())
    if rows - bad - sum(reasons.values()) != kept:
        raise DataError(f"of {rows:,} rows {kept:,} stay, and {sum(reasons.values()):,} have a reason not to: this is a fault of Lossworks.")
    return {"rows": rows, "bad": bad, "removed": reasons, "kept": kept, "fails": totals["failed"], "changed": totals["changed"]}


def _folder(path: Path) -> None:
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
