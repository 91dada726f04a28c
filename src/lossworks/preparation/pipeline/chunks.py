"""The first stage: a piece of a source becomes chunks of good texts, each with what duplicates of them are found by.

The texts are brought into one spelling, tried by the rules, and held against those that must not be among them. What went is
noted in the chunk, with its place and the reason.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from ...core.errors import DataError
from ...data.corpus import NAMED
from ...data.labels import LabelBook, spelled
from ...data.options import Label
from ...record import write_json
from ...record.tensors import map_tensors, write_tensors
from .. import Texts, bands, cross_candidates, digests, normalise, rules, verified
from .job import Job
from .reading import Batch, Counted, batches, bytes_of
from .sources import Piece, Source, against, files_of

EMPTY = -1
"""The reason besides the rules' numbers: nothing is left of a text."""


@dataclass(slots=True)
class Told:
    """What a piece's summary says, for the manifest.

    failed: how many texts each rule fails, changed: how many each step of the spelling changed.
    """

    rows: int = 0
    bad: int = 0
    first_bad: list[str] = field(default_factory=list)
    failed: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    chunks: list[dict[str, int]] = field(default_factory=list)


def read_piece(job: Job, number: int, output: Path) -> None:
    """Write the chunks of a piece, and last the summary ``output``."""
    piece = job.pieces[number]
    source = job.sources[piece.source]
    job.check_unchanged(source)
    told, counted, options = Told(), Counted(), job.wanted.read
    book = LabelBook(optional=options.unlabelled, separator=options.label_sep)
    held: list[Batch] = []
    with ExitStack() as stack:
        for batch in chain(batches(source, piece, options, book, stack, counted), [None]):
            if batch is not None:
                _note(batch, piece, source, counted.unit, told)
                held.append(batch)
            if held and (batch is None or sum(weight(len(each.texts.bytes), len(each.texts)) for each in held) >= job.full):
                _write_chunk(job, held, chunk_path(output, len(told.chunks)), told)
                held = []
    if told.bad and options.bad_rows != "skip":
        named = "".join(f"\n  {place}" for place in told.first_bad) + ("\n  …" if told.bad > len(told.first_bad) else "")
        raise DataError(f"{source.name} has bad rows:{named}\nRepair them, or leave them out with --bad-rows skip.")
    fingerprint = _fingerprint(source, piece)
    job.check_unchanged(source)
    said = {name: getattr(told, name) for name in Told.__slots__}
    more = {"lines": counted.newlines, "unit": counted.unit, "label_type": book.label_type, "xxh3": fingerprint}
    write_json(output, {**said, **more})


def chunk_path(summary: Path, number: int) -> Path:
    """Where a piece's chunk is kept."""
    return summary.with_name(f"{summary.stem}-{number:04}.safetensors")


def weight(size: int, rows: int) -> int:
    """What so many rows of so many bytes in all count as, where memory is shared out: a row takes some, however short it is."""
    return size + 32 * rows


def text_path(chunk: Path) -> Path:
    """Where the texts of a chunk are kept, until they are in a shard."""
    return chunk.with_suffix(".text.safetensors")


def read_against(job: Job, _: int, output: Path) -> None:
    """Write the texts that must not be among the others, with what they are found by."""
    held: list[Texts] = []
    options = against(job.wanted.read)
    for source in job.against:
        job.check_unchanged(source)
        with ExitStack() as stack:
            book = LabelBook(optional=True)
            held += [batch.texts for batch in batches(source, Piece(0), options, book, stack, Counted())]
    texts = normalise(Texts.joined(held)).texts
    arrays: dict[str, Any] = {"text": texts.bytes, "offsets": texts.offsets, "digest": digests(texts)}
    write_tensors(output, arrays if job.wanted.near is None else {**arrays, "bands": bands(texts)}, {})


def divided(keys: NDArray[np.uint64], ranges: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The order of keys [N, B], end to end, in which they stand by ranges of their hashes, then by column, then by row; and where
    each range and column begins [ranges · B + 1].
    """
    spread = (keys * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
    group = ((spread * np.uint64(ranges)) >> np.uint64(32)).astype(np.int64) * keys.shape[1] + np.arange(keys.shape[1])
    flat = group.reshape(-1)
    starts = np.concatenate([[0], np.bincount(flat, minlength=ranges * keys.shape[1]).cumsum()])
    return np.argsort(flat, kind="stable"), starts


def _note(batch: Batch, piece: Piece, source: Source, unit: str, told: Told) -> None:
    told.rows += len(batch.texts) + len(batch.faults)
    told.bad += len(batch.faults)
    for place, why in batch.faults[: NAMED - len(told.first_bad)]:
        if isinstance(place, str):
            told.first_bad.append(f"{place}: {why}")
            continue
        before = sum(data.count(b"\n") for data in bytes_of(Path(source.name), 0, piece.begin))
        told.first_bad.append(f"{source.name}, {unit} {before + place}: {why}")


def _write_chunk(job: Job, held: Sequence[Batch], path: Path, told: Told) -> None:
    normal = normalise(Texts.joined([batch.texts for batch in held]))
    texts, places = normal.texts, np.concatenate([batch.places for batch in held])
    screened = rules.screen(texts, job.rules) if job.rules else _all_pass(len(texts))
    for counts, found in ((told.changed, normal.counts), (told.failed, screened.counts)):
        for name, count in found.items():
            counts[name] = counts.get(name, 0) + count
    empty = np.diff(texts.offsets) == 0
    reason = np.where(empty, EMPTY, screened.rule)
    kept, gone = np.flatnonzero(screened.kept & ~empty), np.flatnonzero(~screened.kept | empty)
    texts = texts.take(kept)
    digest = digests(texts)
    band = None if job.wanted.near is None else bands(texts)
    notes: dict[str, str] = {}
    arrays: dict[str, Any] = {"gone": places[gone], "reason": reason[gone]}
    if job.wanted.against:
        leaked, of, likeness = _leaks(job, texts, digest, band)
        arrays |= {"leaked": places[kept[leaked]], "leaked_of": of, "leaked_likeness": likeness}
        stays = np.flatnonzero(~np.isin(np.arange(len(kept)), leaked))
        texts, digest, kept, band = texts.take(stays), digest[stays], kept[stays], None if band is None else band[stays]
    labels = _labels(held)
    if labels is not None:
        arrays["labels"], notes["labels"] = _coded([labels[row] for row in kept.tolist()])
    write_tensors(text_path(path), {"text": texts.bytes}, {})
    arrays |= {"offsets": texts.offsets, "places": places[kept], "digest": digest}
    for name, keys, values in (("digest", digest[:, :1], digest), ("band", band, None)):
        if keys is not None:
            order, starts = divided(keys, job.ranges)
            rows = (order // keys.shape[1]).astype(np.uint32)
            sorted_keys = keys.reshape(-1)[order] if values is None else values[rows]
            arrays |= {f"{name}_keys": sorted_keys, f"{name}_rows": rows, f"{name}_starts": starts}
    write_tensors(path, {name: np.ascontiguousarray(array) for name, array in arrays.items()}, notes)
    told.chunks.append({"rows": len(texts), "bytes": len(texts.bytes)})


def _all_pass(count: int) -> rules.Screened:
    """What no rules find, without measuring the texts."""
    return rules.Screened(np.ones(count, np.bool_), np.full(count, -1, np.int64), {})


def _leaks(
    job: Job, texts: Texts, digest: NDArray[np.uint64], band: NDArray[np.uint64] | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """The rows that are, or nearly are, one of the texts to be kept out; for each the most like of these, and how like it is."""
    path = job.output("against", 0)
    test = _mapped(path, path.stat().st_mtime_ns)
    order = np.argsort(test["digest"][:, 0], kind="stable")
    at = np.minimum(np.searchsorted(test["digest"][order, 0], digest[:, 0]), len(order) - 1)
    same = (test["digest"][order[at]] == digest).all(1)
    rows, of, likeness = np.flatnonzero(same), order[at[same]], np.ones(int(same.sum()))
    if band is not None:
        pairs = cross_candidates(band, test["bands"])
        near = verified(texts, Texts(test["text"], test["offsets"]), pairs[~same[pairs[:, 0]]], job.wanted.near or 1)
        rows, of = np.concatenate([rows, near.rows]), np.concatenate([of, near.of])
        likeness = np.concatenate([likeness, near.likeness])
    best = np.lexsort((of, -likeness, rows))
    best = best[np.unique(rows[best], return_index=True)[1]]
    return rows[best], of[best], likeness[best]


@lru_cache(maxsize=1)
def _mapped(path: Path, _: int) -> dict[str, Any]:
    return map_tensors(path)[0]


def _labels(held: Sequence[Batch]) -> list[Label | None] | None:
    if all(batch.labels is None for batch in held):
        return None
    return [label for batch in held for label in batch.labels or [None] * len(batch.texts)]


def _coded(labels: Sequence[Label | None]) -> tuple[NDArray[np.int32], str]:
    """Labels as numbers, −1 for none, and the sorted table of what they stand for, as JSON."""
    names = {label: list(label) if isinstance(label, tuple) else spelled(label) for label in set(labels) if label is not None}
    keys = {label: json.dumps(name, ensure_ascii=False) for label, name in names.items()}
    table = sorted(set(keys.values()))
    index = {key: code for code, key in enumerate(table)}
    codes = (-1 if label is None else index[keys[label]] for label in labels)
    return np.fromiter(codes, np.int32, len(labels)), f"[{', '.join(table)}]"


def _fingerprint(source: Source, piece: Piece) -> str:
    """XXH3 of the bytes of a piece as they stand; of a folder, of all its files."""
    running = xxhash.xxh3_128()
    for file in files_of(Path(source.name)):
        for data in bytes_of(file, piece.begin, file.stat().st_size if piece.end is None else piece.end):
            running.update(data)
    return str(running.hexdigest())
