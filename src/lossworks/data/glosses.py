"""Descriptions of a graph's entities: read from a file, and as bags of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import torch

from ..core.errors import DataError
from ..core.seeds import generator
from .features import Selected
from .hashed_features import HashedFeatures
from .loading import load
from .options import ReadOptions

_BITS = 22  # of the hash: ten million pairs of 50,000 words make some 300 collisions
_MIN_COUNT = 2  # what one description alone has says nothing that the entity's own row does not


def read_glosses(source: str | Path | Mapping[str, str]) -> dict[str, str]:
    """The description of each entity, in the order of the file; a blank one is none.

    Args:
        source: a file, packed or not, of lines "entity<tab>description"; or the descriptions by the names of their entities.

    Raises:
        DataError: a line has no tab, or an entity has two descriptions; names the line. Or as ``load``.
    """
    if isinstance(source, Mapping):
        return {str(name): text for name, text in source.items() if text.strip()}
    found: dict[str, str] = {}
    with closing(load(source, ReadOptions(unlabelled=True, format="lines", texts="line"))) as corpus:
        lines = (text for block in corpus.blocks() for text in block)
        for row, line in enumerate(lines):
            name, tab, text = line.partition("\t")
            if not tab or not name.strip():
                raise DataError(
                    f"{corpus.place(row)}: {line[:60]!r} is no description. Wanted an entity, a tab and its description."
                )
            if text.strip() and found.setdefault(name, text) != text:
                raise DataError(f"{corpus.place(row)}: the entity {name!r} has another description in an earlier line. Keep one.")
    return found


def permuted(glosses: Mapping[str, str], seed: int) -> dict[str, str]:
    """The same descriptions, each with an entity drawn at random: what they are when they tell nothing of their entities."""
    names = sorted(glosses)
    order = generator(seed, "glosses").permutation(len(names))
    return {name: glosses[names[at]] for name, at in zip(names, order.tolist(), strict=True)}


def new_reading() -> HashedFeatures:
    """How descriptions are read, before anything is learnt: each its words, alone, weighted by tf-idf, together to length 1."""
    return HashedFeatures(1, 0, _BITS, _MIN_COUNT, 1 << _BITS, "tfidf")


def words_of(texts: Sequence[str]) -> tuple[HashedFeatures, Selected]:
    """A reading of descriptions, learnt from all of these (an empty one is none), and what it makes of them.

    Raises:
        DataError: no word is in two of them.
    """
    reading = new_reading()
    counter = reading.counter()
    counter.add(reading.read(texts), np.array([bool(text) for text in texts]))
    reading.learn(counter)
    return reading, bags(reading, texts)


def bags(reading: HashedFeatures, texts: Sequence[str]) -> Selected:
    """The known words of descriptions, by number, and their weights."""
    nothing, selected = torch.empty(0), reading.select(reading.read(texts))
    batch = selected.batch(np.arange(len(selected)), nothing, nothing)  # without room between the texts
    return Selected(batch.ids, batch.values, batch.offsets[:-1], np.diff(batch.offsets))
