"""A trie in a file: arrays named by their order, mapped when read. The layout is that of safetensors, the meaning
``trie.py``'s.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import RecordError
from ...record.tensors import map_tensors, write_tensors
from ...tokens import Vocabulary
from .trie import Level, Trie

NAME = "model.safetensors"
_FORMAT = "lossworks ngram 1"


def write(folder: Path, trie: Trie, facts: dict[str, Any]) -> None:
    """Write ``model.safetensors`` into ``folder``, atomically."""
    arrays = {
        f"{k}.{f.name}": array
        for k, level in enumerate(trie.levels)
        for f in fields(Level)
        if (array := getattr(level, f.name)) is not None
    }
    metadata = {"format": _FORMAT, "order": str(trie.order), "flat": str(int(trie.flat)), "facts": json.dumps(facts)}
    write_tensors(folder / NAME, arrays | {"uniform": trie.uniform}, metadata)


def read(folder: Path, vocabulary: Vocabulary) -> tuple[Trie, dict[str, Any]]:
    """The trie and the facts in ``folder``; nothing is read but what is looked up.

    Raises:
        RecordError: no such file, or it is damaged, or it is not of this vocabulary.
    """
    path = folder / NAME
    arrays, metadata = map_tensors(path)
    try:
        if metadata.get("format") != _FORMAT:
            raise ValueError(f"its format is {metadata.get('format')!r}, and this version reads {_FORMAT!r}")
        order = int(metadata["order"])
        levels = [Level(**{f.name: arrays.get(f"{k}.{f.name}") for f in fields(Level)}) for k in range(order + 1)]
        trie = Trie(levels, np.asarray(arrays["uniform"]), metadata["flat"] == "1")
        if order < 1 or len(trie.uniform) != vocabulary.size:
            raise ValueError(f"it has {len(trie.uniform)} words, and the tokenizer {vocabulary.size}")
        _check(trie)
        return trie, json.loads(metadata["facts"])
    except (ValueError, KeyError, TypeError) as error:
        raise RecordError(f"{path} is damaged ({error}). Restore it from a copy, or fit again.") from None


def _check(trie: Trie) -> None:
    """That every level has its arrays, of lengths and kinds that fit: what is read by number is then checked where it is
    read.
    """
    for k, level in enumerate(trie.levels):
        size = 1 if k == 0 else len(trie.uniform) if k == 1 else len(_there(level.word, k))
        last = k == trie.order
        if not last:
            begin, after = _there(level.begin, k), trie.levels[k + 1]
            next_size = len(trie.uniform) if k == 0 else len(_there(after.word, k + 1))
            if len(begin) != size + 1 or begin[0] != 0 or begin[-1] != next_size:
                raise ValueError(f"order {k} does not lead to order {k + 1}")
            _tables(k, size, level.context, level.total if level.total is not None else level.backoff, level.backoff)
        if k and level.prob is None:
            _tables(k, size, level.count, level.counts, level.mass)
        elif k and len(_there(level.prob, k)) != size:
            raise ValueError(f"order {k} lacks probabilities")
    if len({level.prob is None for level in trie.levels[1:]}) != 1:
        raise ValueError("some orders have counts, and some have not")


def _tables(k: int, size: int, codes: NDArray[Any] | None, *tables: NDArray[Any] | None) -> None:
    lengths = {len(_there(table, k)) for table in tables}
    if len(_there(codes, k)) != size or _there(codes, k).dtype.kind != "u" or len(lengths) != 1 or lengths == {0}:
        raise ValueError(f"the tables of order {k} do not fit")


def _there(array: NDArray[Any] | None, k: int) -> NDArray[Any]:
    if array is None:
        raise ValueError(f"order {k} lacks an array")
    return array
