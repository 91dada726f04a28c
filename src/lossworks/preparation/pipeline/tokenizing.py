"""Tokens of the shards: each beside its texts, by one tokenizer, which is given or learned from the training part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ... import tokens
from ...core.errors import DataError
from ...record import read_object, write_json
from ...record.checksums import checksum
from ...record.tensors import map_tensors, write_tensors
from ...tokens import Tokenizer
from .. import Texts
from .layout import Layout

TOKENIZER = "tokenizer.json"
_LEARNED_FROM = 100 << 20  # bytes of texts, evenly from the shards of the training part, that a tokenizer is learned from at most
_AT_ONCE = 4 << 20


def learn(layout: Layout, _: int, output: Path) -> None:
    """The tokenizer: the one given, or one learned from the training part."""
    wanted = layout.job.wanted.tokenizer or ""
    made = tokens.named(wanted)
    if not isinstance(made, Tokenizer):
        paths = [layout.job.out / said["train"]["file"] for said in _shards(layout) if "train" in said]
        if not paths:
            raise DataError(
                f"nothing is left to learn the tokenizer {wanted} from. The rules, or --against, leave out every text."
            )
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
    """The first texts of each shard, as many as come to ``most`` bytes, or one."""
    for path in paths:
        arrays = map_tensors(path)[0]
        texts = Texts(arrays["text"], arrays["offsets"])
        few = texts.part(0, max(1, int(texts.offsets.searchsorted(texts.offsets[0] + most, "right")) - 1))
        for span in _spans(few):
            yield few.part(*span).strings()
