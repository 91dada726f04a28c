"""Rows drawn more or less often by their language: which ones in an epoch is a function of the seed and the epoch.

A language's rows come in one endless sequence, each time round in another order, and an epoch takes as many as are its due from
where the one before it ended. So no row is drawn twice before all others of its language were drawn once, and what an epoch has
no room for comes in the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.seeds import generator
from .order import epoch_order

Rows = NDArray[np.int64]


class Draws:
    """Of N rows, drawn at some rates.

    counts: how many of each language an epoch draws [L]; of one that has a row at least one.
    """

    def __init__(self, languages: NDArray[np.int32], rates: NDArray[np.float64], seed: int, *path: str | int) -> None:
        """languages: of each row [N], by number. rates: how often each row of a language is drawn in an epoch [L].
        path: which rows they are, where a run draws from several lots.
        """
        order = np.argsort(languages, kind="stable")
        sizes = np.bincount(languages, minlength=len(rates))
        self._of: Sequence[Rows] = np.split(order, np.cumsum(sizes)[:-1])
        self.counts: Rows = np.where(sizes > 0, np.maximum(1, np.rint(rates * sizes)), 0).astype(np.int64)
        self._seed, self._path = seed, path

    def __len__(self) -> int:
        return int(self.counts.sum())

    def rows(self, epoch: int) -> Rows:
        """The rows of an epoch, in the order they are seen in."""
        drawn = [self._drawn(language, epoch) for language in range(len(self.counts))]
        return np.concatenate(drawn)[epoch_order(self._seed, epoch, len(self), "drawn", *self._path)]

    def times(self, epoch: int) -> Rows:
        """How often each row is drawn in an epoch [N]."""
        return np.bincount(self.rows(epoch), minlength=sum(map(len, self._of)))

    def _drawn(self, language: int, epoch: int) -> Rows:
        rows, count = self._of[language], int(self.counts[language])
        if not count:
            return rows
        cycle, place = np.divmod(np.arange(epoch * count, (epoch + 1) * count), len(rows))
        return np.concatenate([
            generator(self._seed, "draws", *self._path, language, number).permutation(rows)[place[cycle == number]]
            for number in np.unique(cycle).tolist()
        ])  # fmt: skip


@dataclass(frozen=True, slots=True)
class TextLanguages:
    """Of N training texts the languages by number [N], how many there are, and how often the texts of each are drawn in an epoch
    [L]; None: once, all of them.
    """

    of_text: NDArray[np.int32]
    count: int
    rates: NDArray[np.float64] | None = None

    def draws(self, seed: int, texts: Rows | None = None) -> Draws | None:
        """Of the texts, or of rows that are parts of ``texts`` [rows]; None where each is drawn once."""
        of_row = self.of_text if texts is None else self.of_text[texts]
        return None if self.rates is None else Draws(of_row, self.rates, seed)

    def times(self, seed: int) -> Rows | None:
        """How often each text is counted by what reads all of them in one pass [N]; None: once."""
        draws = self.draws(seed)
        return None if draws is None else draws.times(0)
