"""A corpus: all good rows of a source, their labels, and where each came from."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence

import numpy as np
import xxhash
from numpy.typing import NDArray

from ..core.wording import skipped_note
from ..tokens.graphemes import composed_note
from .checked_rows import Checked, Fault, Place
from .labels import spelled
from .languages import Languages
from .options import Label
from .store import TextStore

NAMED = 5
"""Bad rows that are remembered with their reasons; the rest are counted."""


class Corpus:
    """Rows in the order of the source. Made by ``load``; only ``texts`` and ``blocks`` touch the disk.

    keys: uint64 per row, a hash of its exact text: equal for equal texts, on any machine.
    labels: one per row; None only where unlabelled text was asked for.
    label_type, label_sep: the type that labels were given in (bool, int, float, str), and what parts several in a cell.
    skipped, bad: how many rows were bad, and the first few, "line 7: the text is empty".
    languages: of each row, where they are told apart.
    named: where each row first came from, if these were chosen from another source.
    composed: how many texts were brought into the composed form (NFC); None where text is read as it is.
    source: what to call it; text_column, label_column: what ``ReadOptions`` finds the columns by, None without columns.
    """

    def __init__(self, source: str, unit: str, text_column: str | None, label_column: str | None, store: TextStore) -> None:
        self.source = source
        self.text_column = text_column
        self.label_column = label_column
        self.labels: list[Label | None] = []
        self.label_type = "str"
        self.label_sep: str | None = None
        self.languages: Languages | None = None
        self.named: Sequence[str] | None = None
        self.composed: int | None = None
        self.skipped = 0
        self.bad: list[str] = []
        self._unit = unit
        self._store = store
        self.keys = np.empty(0, np.uint64)
        self._keys: list[NDArray[np.uint64]] = []
        self._weights: list[NDArray[np.float32] | None] = []
        self._places: list[Sequence[Place] | NDArray[np.int64]] = []
        self._starts: list[int] = []
        self._files: list[str] = []
        self._languages: list[NDArray[np.int32]] = []
        self._hashes = hashlib.blake2b(digest_size=16), hashlib.blake2b(digest_size=16)

    def __len__(self) -> int:
        return len(self.labels)

    def add(self, rows: Checked, faults: list[Fault], file: str | None = None) -> None:
        """Append checked rows; note the bad ones among them. ``file``: where they stand, if not in the source itself."""
        self.skipped += len(faults)
        at = "" if file is None else f"{file}, "
        self.bad += [f"{at}{self._place(place)}: {why}" for place, why in faults[: NAMED - len(self.bad)]]
        if not rows.texts:
            return
        if self.composed is not None:
            self.composed += rows.composed
        keys = np.fromiter(map(xxhash.xxh3_64_intdigest, rows.encoded), np.uint64, len(rows.encoded))
        self._keys.append(keys)
        self._weights.append(rows.weights)
        self._starts.append(len(self.labels))
        packed = isinstance(rows.places, range) or isinstance(rows.places[0], str)
        self._places.append(rows.places if packed else np.array(rows.places, np.int64))
        self._files.append(file or self.source)
        if rows.languages is not None:
            self._languages.append(rows.languages)
        self.labels += rows.labels
        self._store.add(rows.texts)
        for running, data in zip(self._hashes, (keys.astype("<u8").tobytes(), _stream(rows.labels)), strict=True):
            running.update(data)

    def finish(self, languages: Sequence[str] | None = None) -> None:
        """Close the last block; nothing is added after it. ``languages``: the names of those that rows have by number."""
        self._store.finish()
        self.keys = np.concatenate([self.keys, *self._keys])
        self._keys.clear()
        if languages is not None:
            self.languages = Languages.of(languages, np.concatenate([np.empty(0, np.int32), *self._languages]))
            self._languages.clear()

    @property
    def weights(self) -> NDArray[np.float32] | None:
        """A weight per row, or None if none was given; rows without one among rows with one weigh 1."""
        if all(part is None for part in self._weights):
            return None
        ends = [*self._starts[1:], len(self)]
        sizes = [end - start for start, end in zip(self._starts, ends, strict=True)]
        parts = zip(self._weights, sizes, strict=True)
        return np.concatenate([np.ones(size, np.float32) if part is None else part for part, size in parts])

    @property
    def held(self) -> int:
        """Bytes of texts that stand in memory."""
        return self._store.held

    @property
    def fingerprint(self) -> str:
        """Hex digest of all texts and labels in their order; the same rows in another format have the same."""
        return hashlib.blake2b(b"".join(running.digest() for running in self._hashes), digest_size=16).hexdigest()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out of the rows, and changed in the texts, as they were read."""
        return (*self.losses, *composed_note(self.composed or 0, len(self)))

    @property
    def losses(self) -> tuple[str, ...]:
        """What was left out of the rows: of the notes, what is said where nothing else is."""
        return skipped_note(self.skipped, self.bad)

    def blocks(self) -> Iterator[list[str]]:
        """All texts in row order, some MB at a time. Do not change the lists."""
        return self._store.blocks()

    def texts(self, rows: Sequence[int] | NDArray[np.integer]) -> list[str]:
        """The texts of ``rows``, in the order asked for."""
        return self._store.texts(rows)

    def place(self, row: int) -> str:
        """Where ``row`` came from: "reviews.csv, line 8"."""
        if self.named is not None:
            return self.named[row]
        block = bisect_right(self._starts, row) - 1
        place = self._places[block][row - self._starts[block]]
        return self._place(place) if isinstance(place, str) else f"{self._files[block]}, {self._place(int(place))}"

    def close(self) -> None:
        """Let go of the texts and of the temporary file. Labels and keys stay."""
        self._store.close()

    def _place(self, place: Place) -> str:
        return place if isinstance(place, str) else f"{self._unit} {place}"


def _stream(labels: list[Label | None]) -> bytes:
    kinds = set(map(type, labels))
    texts = labels if kinds == {str} else [label if isinstance(label, str) else spelled(label) for label in labels]
    return ("\0".join(texts) + "\0").encode()  # type: ignore[arg-type]  # all are str, which the type cannot say
