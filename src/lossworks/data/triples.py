"""Facts of a knowledge graph as numbers: names of entities and relations, and who stands in which relation to whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DataError
from .corpus import Corpus

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Names:
    """Entities and relations, each once; numbers are places in these lists. Relation r + R is the inverse of relation r."""

    entities: tuple[str, ...]
    relations: tuple[str, ...]

    @classmethod
    def of(cls, corpora: Iterable[Corpus]) -> Self:
        """Those of all rows, in the order of their names, which does not depend on that of the rows."""
        entities, relations = set[str](), set[str]()
        for corpus in corpora:
            for texts in corpus.blocks():
                for head, relation, tail in (text.split("\t") for text in texts):
                    entities |= {head, tail}
                    relations.add(relation)
        return cls(tuple(sorted(entities)), tuple(sorted(relations)))

    def read(self, corpus: Corpus) -> Ints:
        """Its facts [N, 3]: head, relation, tail.

        Raises:
            DataError: a name is none of these; says where.
        """
        found, start = [], 0
        for texts in corpus.blocks():
            found.append(self.numbers(texts, partial(_place, corpus, start)))
            start += len(texts)
        return np.concatenate(found)

    def numbers(self, texts: Sequence[str], place: Callable[[int], str]) -> Ints:
        """The same of some texts, "head<tab>relation<tab>tail"; ``place`` says where one stands."""
        entity, relation = ({name: at for at, name in enumerate(names)} for names in (self.entities, self.relations))
        found = np.empty((len(texts), 3), np.int64)
        for row, text in enumerate(texts):
            names = text.split("\t")
            for column, known in enumerate((entity, relation, entity)):
                number = known.get(names[column])
                if number is None:
                    what = "relation" if column == 1 else "entity"
                    raise DataError(
                        f"{place(row)}: the {what} {names[column]!r} was in none of the files that the model was fitted with. "
                        "Correct or remove the row, or fit again with it among the rows."
                    )
                found[row, column] = number
        return found


@dataclass(frozen=True, slots=True)
class Queries:
    """Facts, sorted by their queries: what is in relation ``relation[q]`` to ``head[q]`` is ``tails[bounds[q]:bounds[q + 1]]``.

    key [Q], rising: head · 2R + relation, with R relations; bounds [Q + 1]; tails [N].
    """

    relations: int
    key: Ints
    bounds: Ints
    tails: Ints

    @classmethod
    def of(cls, facts: Ints, relations: int) -> Self:
        """Both queries of each of the facts [N, 3]: for its tail, and by the inverse relation for its head."""
        both = np.concatenate([facts, inverted(facts, relations)])
        key = both[:, 0] * (2 * relations) + both[:, 1]
        order = np.lexsort((both[:, 2], key))
        found, starts = np.unique(key[order], return_index=True)
        return cls(relations, found, np.append(starts, len(key)), both[order, 2])

    def __len__(self) -> int:
        return len(self.key)

    @property
    def head(self) -> Ints:
        """Of each query [Q]."""
        return self.key // (2 * self.relations)

    @property
    def relation(self) -> Ints:
        """Of each query [Q], 0 to 2R - 1."""
        return self.key % (2 * self.relations)

    @property
    def counts(self) -> Ints:
        """How many tails each query has."""
        return np.diff(self.bounds)

    def spread(self, queries: Ints) -> tuple[Ints, Ints]:
        """Of some queries [B] all tails, one after another: their places in ``tails``, and which of the B each is of."""
        counts = self.counts[queries]
        row = np.repeat(np.arange(len(queries)), counts)
        within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.bounds[queries][row] + within, row

    def known(self, head: Ints, relation: Ints) -> tuple[Ints, Ints]:
        """What is known to answer each of B queries: rows of the B, and the entities."""
        key = head * (2 * self.relations) + relation
        at = np.searchsorted(self.key, key)
        here = np.flatnonzero(np.append(self.key, -1)[at] == key)
        places, row = self.spread(at[here])
        return here[row], self.tails[places]


def inverted(facts: Ints, relations: int) -> Ints:
    """The facts [N, 3] told from the other end: tail, inverse relation, head."""
    return np.stack([facts[:, 2], facts[:, 1] + relations, facts[:, 0]], 1)


def _place(corpus: Corpus, start: int, row: int) -> str:
    return corpus.place(start + row)
