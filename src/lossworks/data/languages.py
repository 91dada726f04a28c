"""The language of each row: read from a column, from the path of its file, or identified from its text."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DataError, UsageError
from .labels import RowFault, clean_text, described
from .sources import alike

if TYPE_CHECKING:
    from .corpus import Corpus

MOST = 1000
"""More different values than this are no languages: a few hundred have text at all."""
_FEW = 20  # so many may each have a row of their own, in data that is but a sample


@dataclass(frozen=True, slots=True)
class Languages:
    """Of some rows: the ``names``, in their order, and the number of each row's, ``of_row`` [N]."""

    names: tuple[str, ...]
    of_row: NDArray[np.int32]

    @classmethod
    def of(cls, names: Sequence[str], numbers: NDArray[np.int32]) -> Self:
        """The same with the names in their order, those that no row has left out."""
        used = np.flatnonzero(np.bincount(numbers, minlength=len(names)))
        order = sorted(used.tolist(), key=names.__getitem__)
        number = np.full(len(names), -1, np.int32)
        number[order] = np.arange(len(order))
        return cls(tuple(names[i] for i in order), number[numbers])

    @classmethod
    def together(cls, corpora: Sequence[Corpus]) -> Self | None:
        """Those of all rows of the corpora; None where they have none."""
        parts = [corpus.languages for corpus in corpora if corpus.languages is not None]
        if not parts or len(parts) < len(corpora):
            return None
        starts = np.cumsum([0, *(len(part.names) for part in parts)])
        names = sorted({name for part in parts for name in part.names})
        number = np.array([names.index(name) for part in parts for name in part.names], np.int32)
        return cls(tuple(names), number[np.concatenate([p.of_row + start for p, start in zip(parts, starts, strict=False)])])

    def take(self, rows: NDArray[np.int64]) -> Languages:
        """Those of some ``rows`` [n]."""
        return Languages.of(self.names, self.of_row[rows])

    def rows(self) -> dict[str, NDArray[np.int64]]:
        """The rows of each language, rising."""
        order = np.argsort(self.of_row, kind="stable")
        ends = np.cumsum(np.bincount(self.of_row, minlength=len(self.names)))
        return dict(zip(self.names, np.split(order, ends[:-1]), strict=True))

    def counts(self) -> dict[str, int]:
        """The number of rows of each language."""
        return dict(zip(self.names, np.bincount(self.of_row, minlength=len(self.names)).tolist(), strict=True))


class LanguageBook:
    """The languages met so far while rows are read."""

    def __init__(self, *, identified: bool = False) -> None:
        self._identified = identified
        self._numbers: dict[str, int] = {}
        self._known: dict[Any, int] = {}  # by their spellings

    @property
    def names(self) -> list[str]:
        """In the order they were met in."""
        return list(self._numbers)

    def read(self, raw: Sequence[Any] | None, texts: list[str]) -> NDArray[np.int32]:
        """The numbers of the languages of ``texts`` [n], as ``raw`` cells name them.

        Raises:
            RowFault: one is missing, or no text.
        """
        raw = identify(texts) if self._identified else raw or ()
        if not (set(map(type, raw)) <= {str} and set(raw) <= self._known.keys()):
            for value in raw:
                if not isinstance(value, str) or value not in self._known:
                    name = _clean(value)
                    self._known[value] = self._numbers.setdefault(name, len(self._numbers))
        return np.fromiter(map(self._known.__getitem__, raw), np.int32, len(texts))

    def check(self, column: str, source: str, rows: int | None = None) -> None:
        """Raise DataError where so many different values cannot be languages; ``rows``: how many there are, once it is known."""
        count = len(self._numbers)
        if count > MOST or (rows is not None and count > _FEW and 2 * count > rows):
            some = ", ".join(repr(name if len(name) <= 30 else name[:29] + "…") for name in self.names[:3])
            what = f"more than {MOST:,} different values" if count > MOST else f"{count:,} different values in {rows:,} rows"
            raise DataError(
                f"{source}: --language {column} has {what}, such as {some}, which can hardly be languages. "
                "Name the column that holds each row's language."
            )


def identify(texts: list[str]) -> list[str]:
    """The code of each text's language, by a model that tells languages apart. It is asked by name, for it is trained by what
    stands above this room.

    Raises:
        UsageError: there is none.
    """
    found: list[str] = importlib.import_module("lossworks.api.languages").identify(texts)
    return found


def of_files(files: Sequence[str]) -> list[str]:
    """The languages that the paths of several files name: the first part of them in which they differ.

    That is a folder (hau and ibo of hau/train.tsv, ibo/train.tsv) or the file's name, without its endings and what all names
    begin with up to a dot (afr and tha of ref.afr.txt, ref.tha.txt).

    Raises:
        UsageError: there is but one file.
    """
    if len(files) < 2:
        raise UsageError(
            f"--language file takes the language from where the paths of several files differ, and {files[0]} is but one. "
            "Give more, as 'folder/*/train.tsv' or folder/{hau,ibo}/train.tsv, or name a column."
        )
    parts = [PurePath(os.path.normpath(file)).parts for file in files]
    shared = alike(part[:-1] for part in parts)
    found = [part[shared] for part in parts]
    if any(len(part) > shared + 1 for part in parts):
        return found
    names = [name.split(".") for name in found]
    ends = alike(name[:0:-1] for name in names)
    names = [name[: len(name) - ends] for name in names]
    begins = alike(name[:-1] for name in names)
    return [".".join(name[begins:]) for name in names]


def _clean(value: Any) -> str:
    name = clean_text(value) if isinstance(value, str) else value
    if name is None or name != name:  # the latter of NaN
        raise RowFault("the language is missing")
    if not isinstance(name, str):
        raise RowFault(f"the language is {described(value)}; wanted text, such as 'tha'")
    return name
