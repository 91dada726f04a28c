"""Texts as rows of tokens for a network: cut to windows, batched, padded; nothing is copied but the rows of a step.

Three ways of laying them out. ``Windows``: each text by itself, cut where it is longer than a row, with rows of about its
length. ``Packed``: texts end to end in rows of one length, none seeing another. ``Lanes``: one long text in lanes read side by
side, each row going on where the one before it ended. The rows of a step are a function of (seed, epoch).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from ..core.errors import DataError
from ..core.seeds import generator
from ..tokens import Vocabulary
from .draws import TextLanguages
from .order import epoch_order
from .ragged import Ragged
from .token_rows import TokenRows, along

_SHIFTED = 16  # windows of a text from which on it is cut at other places in each epoch; of fewer, too much would be left out
_AT_ONCE = 1 << 22  # tokens of a mapped file that are counted together
Places = NDArray[np.int64]


@dataclass(slots=True)
class Positions:
    """What is predicted of texts, numbered through: each text's tokens and then, if it has one, its end."""

    texts: Ragged
    start: int
    end: int | None
    bounds: Places  # of each text, and where the last one ends

    @classmethod
    def of(cls, texts: Ragged, vocabulary: Vocabulary, ends: bool) -> Positions:
        """The positions of texts.

        Raises:
            DataError: there are none.
        """
        bounds = texts.bounds(ends)
        if not bounds[-1]:
            raise DataError("the texts hold no tokens, so there is nothing to predict.")
        return cls(texts, vocabulary.start, vocabulary.end if ends else None, bounds)

    def __len__(self) -> int:
        return int(self.bounds[-1])

    def counts(self, size: int) -> NDArray[np.int64]:
        """How often each of ``size`` tokens stands at one."""
        found, last = np.zeros(size, np.int64), int(self.texts.offsets[-1])
        for first in range(0, last, _AT_ONCE):
            found += np.bincount(self.texts.ids[first : min(first + _AT_ONCE, last)], minlength=size)
        if self.end is not None:
            found[self.end] += len(self.texts)
        return found

    def tokens(self, at: Places, text: Places) -> NDArray[np.int64]:
        """What stands at some positions of some ``text``s; before a text's first stands its start."""
        inside = at - self.bounds[text]
        first, size = self.texts.offsets[text], self.texts.offsets[text + 1] - self.texts.offsets[text]
        tokens = self.texts.ids[np.minimum(first + inside.clip(0), len(self.texts.ids) - 1)].astype(np.int64)
        if self.end is not None:
            tokens = np.where(inside == size, self.end, tokens)
        return np.where(inside < 0, self.start, tokens)


@dataclass(slots=True)
class Layout(ABC):
    """Rows to be predicted, ``lengths`` [rows] tokens each, and the steps of an epoch; ``languages``: of the texts."""

    positions: Positions
    lengths: Places
    seed: int
    languages: TextLanguages | None = None

    def __len__(self) -> int:
        return len(self.lengths)

    @abstractmethod
    def steps(self, tokens: int, epoch: int) -> list[Places]:
        """The rows of each step of an epoch, no more than ``tokens`` with their padding unless one row has more.

        Every epoch has as many steps and as many tokens; where languages are balanced, about as many tokens.
        """

    @abstractmethod
    def places(self, rows: Places, epoch: int) -> tuple[Places, Places]:
        """The positions [B, T] that some rows are of in that epoch, and of which text each is, [B, T] or [B, 1]; padding repeats
        a row's last.
        """

    def take(self, rows: Places, epoch: int) -> TokenRows:
        """Some rows as they are in that epoch."""
        return self._taken(rows, *self.places(rows, epoch))

    def _taken(self, rows: Places, at: Places, text: Places) -> TokenRows:
        ids, before = self.positions.tokens(at, text), self.positions.tokens(at[:, 0] - 1, text[:, 0])
        found = TokenRows(torch.from_numpy(ids), torch.from_numpy(self.lengths[rows]), torch.from_numpy(before))
        if self.languages is None:
            return found
        of_token = torch.from_numpy(self.languages.of_text[text].astype(np.int64))
        return replace(found, languages=of_token.expand(found.ids.shape))

    def parts(self, rows: Places, tokens: int) -> Iterator[Places]:
        """Some rows, the shortest first, in parts of no more than ``tokens`` with their padding, or of one row."""
        return _cut(rows[np.argsort(self.lengths[rows], kind="stable")], self.lengths, tokens)


class Windows(Layout):
    """Each text by itself, the shortest rows first. A text of many windows is cut at other places in each epoch of training."""

    def __init__(
        self, positions: Positions, size: int, seed: int = 0, *, shifted: bool = True, languages: TextLanguages | None = None
    ) -> None:
        whole = np.diff(positions.bounds)
        many = np.logical_and(shifted, whole >= _SHIFTED * size)
        counts = np.where(many, whole // size - 1, -(-whole // size))
        text = np.repeat(np.arange(len(whole)), counts)
        number = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)  # of the window in its text
        lengths = np.minimum(size, whole[text] - size * number)
        order = np.argsort(lengths, kind="stable")
        super().__init__(positions, lengths[order], seed, languages)
        self._text, self._first = text[order], (positions.bounds[text] + size * number)[order]
        self._room = np.where(many, whole - size * counts, 0)  # by how much a text's windows can be moved
        self._moved = -1, self._room  # in which epoch, by how much
        self._draws = None if languages is None else languages.draws(seed, self._text)

    def steps(self, tokens: int, epoch: int) -> list[Places]:
        if self._draws is None:
            return self._batches(epoch_order(self.seed, epoch, len(self), "rows"), tokens, epoch)
        found = self._batches(self._draws.rows(epoch), tokens, epoch)
        count = len(found) if epoch == 0 else len(self.steps(tokens, 0))  # other rows are of other lengths
        return (found * (1 + count // len(found)))[:count]

    def _batches(self, order: Places, tokens: int, epoch: int) -> list[Places]:
        order = order[np.argsort(self.lengths[order], kind="stable")]
        cut = list(_cut(order, self.lengths, tokens))
        return [cut[number] for number in epoch_order(self.seed, epoch, len(cut), "batches")]

    def places(self, rows: Places, epoch: int) -> tuple[Places, Places]:
        if self._moved[0] != epoch:
            self._moved = epoch, generator(self.seed, "shift", epoch).integers(0, self._room + 1)
        text = self._text[rows]
        first = self._first[rows] + self._moved[1][text]
        return first[:, None] + along(self.lengths[rows]), text[:, None]


class Packed(Layout):
    """Texts end to end, in another order in each epoch, cut into rows of ``size``; what was cut off knows nothing of the rest."""

    def __init__(self, positions: Positions, size: int, seed: int = 0, *, languages: TextLanguages | None = None) -> None:
        self._draws = None if languages is None else languages.draws(seed)
        sizes = np.diff(positions.bounds)
        total = len(positions) if self._draws is None else max(1, int(sizes[self._draws.rows(0)].sum()))
        lengths = np.full(-(-total // size), size)
        lengths[-1] = total - size * (len(lengths) - 1)
        super().__init__(positions, lengths, seed, languages)
        self._size = size
        self._laid: tuple[int, Places, Places] | None = None

    def steps(self, tokens: int, epoch: int) -> list[Places]:
        order = epoch_order(self.seed, epoch, len(self), "rows")
        return [np.sort(part) for part in _cut(order, np.full(len(self), self._size), tokens)]

    def places(self, rows: Places, epoch: int) -> tuple[Places, Places]:
        order, bounds = self._epoch(epoch)
        at = self._size * rows[:, None] + along(self.lengths[rows])
        slot = np.searchsorted(bounds, at, side="right") - 1
        return self.positions.bounds[order[slot]] + at - bounds[slot], order[slot]

    def take(self, rows: Places, epoch: int) -> TokenRows:
        at, text = self.places(rows, epoch)
        return replace(self._taken(rows, at, text), starts=torch.from_numpy(at == self.positions.bounds[text]))

    def _epoch(self, epoch: int) -> tuple[Places, Places]:
        """The order of the texts, and where each begins."""
        if self._laid is None or self._laid[0] != epoch:
            whole = np.diff(self.positions.bounds)
            order = epoch_order(self.seed, epoch, len(whole), "texts") if self._draws is None else self._draws.rows(epoch)
            order = order[whole[order] > 0]
            if self._draws is not None:  # other texts are of other lengths: too few begin anew
                order = np.tile(order, 1 + int(self.lengths.sum()) // int(whole[order].sum()))
            self._laid = epoch, order, np.cumsum([0, *whole[order]])[:-1]
        return self._laid[1], self._laid[2]


class Lanes(Layout):
    """One text in ``count`` equal stretches read side by side; a step is a window of each. They begin elsewhere in each epoch."""

    def __init__(self, positions: Positions, size: int, count: int, seed: int = 0) -> None:
        self._size, self._count = size, count
        self._windows = (len(positions) // count - 1) // size
        super().__init__(positions, np.full(count * self._windows, size), seed)

    @staticmethod
    def fit(positions: Positions, size: int, count: int) -> bool:
        """Whether the texts are one, long enough for lanes of many windows."""
        return len(positions.bounds) == 2 and len(positions) >= _SHIFTED * size * count

    def steps(self, tokens: int, epoch: int) -> list[Places]:
        return list(np.arange(len(self)).reshape(self._windows, self._count))

    def places(self, rows: Places, epoch: int) -> tuple[Places, Places]:
        stretch = len(self.positions) // self._count
        shift = int(generator(self.seed, "shift", epoch).integers(0, stretch - self._size * self._windows + 1))
        window, lane = np.divmod(rows, self._count)
        first = lane * stretch + window * self._size + shift
        return first[:, None] + along(self.lengths[rows]), np.zeros((len(rows), 1), np.int64)

    def take(self, rows: Places, epoch: int) -> TokenRows:
        lane = torch.from_numpy(rows % self._count)
        return replace(self._taken(rows, *self.places(rows, epoch)), lanes=lane, lane_count=self._count)


def _cut(rows: Places, lengths: Places, tokens: int) -> Iterator[Places]:
    """Rows of rising length in parts, cut from the longest on."""
    end = len(rows)
    while end:
        begin = max(0, end - max(1, tokens // int(lengths[rows[end - 1]])))
        yield rows[begin:end]
        end = begin
