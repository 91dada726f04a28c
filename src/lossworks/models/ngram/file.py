"""A trie as a file of arrays, mapped back: what is asked for is read, whatever its size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np

from ...core.errors import RecordError
from ...record.tensors import map_tensors, write_tensors
from .trie import Level, Trie

FORMAT = "lossworks n-grams 1"
_FIELDS = [field.name for field in fields(Level)]
_KINDS = {
    "word": "u",
    "begin": "u",
    "count": "u",
    "context": "u",
    "counts": "i",
    "mass": "f",
    "total": "f",
    "backoff": "f",
    "prob": "f",
}


def write_trie(path: Path, trie: Trie, notes: Mapping[str, str], progress: Callable[[int, int], None]) -> None:
    """Write the arrays as ``k.name`` for each level k, and the notes; arrays may be mapped from files larger than memory.

    Raises:
        RecordError: the place cannot be written.
    """
    arrays = {f"{k}.{name}": getattr(level, name) for k, level in enumerate(trie.levels) for name in _FIELDS}
    kept = {name: array for name, array in arrays.items() if array is not None}
    write_tensors(path, kept, {**notes, "format": FORMAT, "order": str(trie.order), "flat": str(trie.flat).lower()}, progress)


def map_trie(path: Path, size: int) -> tuple[Trie, dict[str, str]]:
    """The trie of a file that ``write_trie`` wrote, for ``size`` words, and its notes. What the arrays hold stays unread, but for
    whether probabilities are finite.

    Raises:
        RecordError: the file is missing or damaged, or is for another number of words.
    """
    arrays, notes = map_tensors(path)
    if notes.get("format") != FORMAT:
        raise RecordError(f"{path} has format {notes.get('format')!r}; wanted {FORMAT!r}. Fit again with this version.")
    if not notes.get("order", "").isdecimal() or notes.get("flat") not in ("true", "false"):
        raise _damaged(path, "it does not say what model it is")
    levels = [
        Level(**{name: arrays.pop(f"{k}.{name}", None) for name in _FIELDS}) for k in range(min(int(notes["order"]), 255) + 1)
    ]
    trie = Trie(levels, flat=notes["flat"] == "true")
    if fault := ("it has other arrays" if arrays else _fault(trie)):
        raise _damaged(path, fault)
    if trie.size(1) != size:
        raise RecordError(f"{path} is for {trie.size(1)} tokens; wanted {size}. Take the tokenizer that it was fitted with.")
    return trie, notes


def _damaged(path: Path, fault: str) -> RecordError:
    return RecordError(f"{path} is damaged ({fault}). Restore it from a copy, or fit again.")


def _fault(trie: Trie) -> str | None:
    """What is wrong with the arrays' kinds and lengths, and with the ends of ``begin``; None where nothing is."""
    if trie.order < 1:
        return "it has no words"
    valued = trie.levels[1].prob is not None
    for k, level in enumerate(trie.levels):
        wanted = {"word"} if k > 1 else set()
        if k > 0:
            wanted |= {"prob"} if valued else {"count", "counts", "mass"}
        if k < trie.order:
            wanted |= {"begin", "context", "backoff"} | (set() if valued else {"total"})
        given = {name: getattr(level, name) for name in _FIELDS if getattr(level, name) is not None}
        if given.keys() != wanted:
            return f"its {k}-grams lack or have too much: {', '.join(sorted(given.keys() ^ wanted))}"
        if any(array.ndim != 1 or array.dtype.kind != _KINDS[name] for name, array in given.items()):
            return f"an array of its {k}-grams is of another kind"
        if any(len(array) and not array.max() < np.inf for name, array in given.items() if _KINDS[name] == "f"):  # nor is nan
            return f"its {k}-grams hold values that are not finite"
        entries = trie.size(k)
        if any(len(given[name]) != entries for name in ("word", "context") if name in given):
            return f"the arrays of its {k}-grams differ in length"
        for first, second in (("counts", "mass"), ("total", "backoff")):
            if len({len(given[name]) for name in (first, second) if name in given}) > 1:
                return f"{first} and {second} of its {k}-grams differ in length"
        if entries and any(not len(given[name]) for name in ("mass", "backoff") if name in given):
            return f"the tables of its {k}-grams are empty"
        if "begin" in given:
            begin = given["begin"]
            if len(begin) != entries + 1 or begin[0] != 0 or begin[-1] != trie.size(k + 1):
                return f"the {k + 1}-grams do not fit to the {k}-grams"
    return None
