"""Directories that ``lossworks data prepare`` made: a manifest, and for each part of the split shards that are mapped.

A part, ``DIR/train``, is read by itself, ``DIR`` is all parts one after another. A shard is checked whole, by its checksum in the
manifest, before anything in it is used.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError, RecordError
from ...record.checksums import checksum
from ...record.files import Fields, read_object
from ...record.tensors import map_tensors
from ..checked_rows import Reading, Rows
from ..columns import choose
from ..labels import original
from ..options import ReadOptions
from ..ragged import Ragged
from ..splits import PARTS

MANIFEST = "manifest.json"
KIND = "lossworks prepared data"
FORMAT = 1
WORK = "preparing"
"""The folder in it that holds what is not finished, and is gone when all is."""
AT_ONCE = 1 << 20
"""Bytes of texts that are made strings at a time."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared directory and those of its parts that are meant.

    shards: of each, its path, and what the manifest says of it.
    """

    folder: Path
    manifest: Fields
    shards: list[tuple[Path, Fields]]

    @classmethod
    def open(cls, path: Path) -> Prepared:
        """What stands at ``path``, a prepared directory or a part in one.

        Raises:
            RecordError: the manifest is damaged or of another format, or a shard is missing.
        """
        folder, names = (path, PARTS) if (path / MANIFEST).is_file() else (path.parent, (path.name,))
        manifest = read_object(folder / MANIFEST)
        if manifest.get("format") != FORMAT:
            raise RecordError(
                f"{folder / MANIFEST} has format {manifest.get('format')!r}; this version reads format {FORMAT}. "
                "Prepare the sources again, or read it with the version of Lossworks that made it."
            )
        shards = [(folder / shard["file"], shard) for name in names for shard in manifest["parts"][name]["shards"]]
        return cls(folder, manifest, shards)


def is_prepared(path: Path) -> bool:
    """Whether a prepared directory, or a part of one, stands there, of whatever version, damaged or not."""
    if path.is_dir() and (path / MANIFEST).is_file():
        try:
            return bool(read_object(path / MANIFEST).get("kind") == KIND)
        except RecordError:
            return (path / PARTS[0]).is_dir()
    return path.name in PARTS and path.is_dir() and (path.parent / MANIFEST).is_file() and is_prepared(path.parent)


def parts(source: Any) -> dict[str, str]:
    """The parts that a prepared directory has texts in, by name; nothing for anything else, a single part too."""
    if not isinstance(source, str | Path) or not (Path(source) / MANIFEST).is_file() or not is_prepared(Path(source)):
        return {}
    of = Prepared.open(Path(source)).manifest["parts"]
    return {name: str(Path(source, name)) for name in PARTS if of[name]["rows"]}


def apart(data: Any, valid: Any, test: Any) -> tuple[Any, Any, Any]:
    """What to train, validate and test on: of a prepared directory its own parts, where nothing else is given for them."""
    own = parts(data)
    if len(own) < 2 or "train" not in own:
        return data, valid, test
    return own["train"], own.get("valid") if valid is None else valid, own.get("test") if test is None else test


def tokenizer(source: str) -> str | None:
    """The tokenizer file of a prepared directory that holds tokens, or of a part of one; None for anything else."""
    if not is_prepared(Path(source)):
        return None
    prepared = Prepared.open(Path(source))
    said = prepared.manifest["tokenizer"]
    return said and str(prepared.folder / said["file"])


def tokens(source: str, digest: str) -> Iterator[tuple[Ragged, NDArray[np.int64]]]:
    """The texts of a prepared directory, or of a part, in tokens, shard by shard, and how long each is in bytes; nothing where
    they were not written by the tokenizer with this digest.

    Raises:
        RecordError: a shard is missing or damaged.
    """
    if tokenizer(source) is None:
        return
    prepared = Prepared.open(Path(source))
    if prepared.manifest["tokenizer"]["digest"] != digest:
        return
    for path, said in prepared.shards:
        arrays, _ = open_shard(prepared.folder / said["tokens"]["file"], said["tokens"])
        yield Ragged(arrays["ids"], arrays["offsets"]), np.diff(open_shard(path, said)[0]["offsets"])


def read(path: Path, options: ReadOptions) -> Reading:
    """The texts of a prepared directory, or of a part, and their labels where they have any.

    Raises:
        DataError: there are no texts, or none of the columns asked for.
        RecordError: the directory is damaged.
    """
    prepared = Prepared.open(path)
    if not prepared.shards:
        raise DataError(f"{path} holds no texts. {prepared.folder / MANIFEST} says what was left out.")
    labelled = bool(prepared.manifest["labelled"])
    columns = choose(["text", "label"] if labelled else ["text"], options, str(path))
    if columns.label is None and not options.unlabelled:
        raise DataError(f"{path}: the texts have no labels. What learns without any is a model of language: --task lm.")
    count = sum(said["rows"] for _, said in prepared.shards)
    return Reading(_rows(prepared), "row", columns.text_column, columns.label_column, expected=lambda rows: count)


def open_shard(path: Path, said: Fields) -> tuple[dict[str, Any], dict[str, str]]:
    """A shard's arrays and notes, once it is sure that they are what was written.

    Raises:
        RecordError: it is missing, or another file than the manifest says.
    """
    if not path.is_file():
        raise RecordError(f"{path} is missing. Restore it from a copy, or prepare the sources again.")
    if checksum(path) != said["xxh3"]:
        raise RecordError(
            f"{path} is damaged: it is not what was written, by its checksum in {MANIFEST}. Restore it from a copy, or prepare "
            "the sources again."
        )
    return map_tensors(path)


def _rows(prepared: Prepared) -> Iterator[Rows]:
    kind, row = prepared.manifest["label_type"], 1
    for path, said in prepared.shards:
        arrays, notes = open_shard(path, said)
        text, offsets = arrays["text"], arrays["offsets"]
        table = [_label(label, kind) for label in json.loads(notes.get("labels", "[]"))] + [None]  # the last for −1
        first, count = 0, len(offsets) - 1
        while first < count:
            last = max(first + 1, int(offsets.searchsorted(offsets[first] + AT_ONCE, "right")) - 1)
            data, ends = text[offsets[first] : offsets[last]].tobytes(), (offsets[first : last + 1] - offsets[first]).tolist()
            texts = [data[begin:end].decode() for begin, end in pairwise(ends)]
            codes = arrays["labels"][first:last].tolist() if "labels" in arrays else [-1] * len(texts)
            yield Rows(texts, [table[code] for code in codes], range(row, row + len(texts)))
            first, row = last, row + len(texts)


def _label(label: str | list[str], kind: str) -> Any:
    """A label as it was given: of the type that all were of."""
    return [original(name, kind) for name in label] if isinstance(label, list) else original(label, kind)
