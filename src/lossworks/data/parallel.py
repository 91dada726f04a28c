"""Parallel text: several files, one a language, whose rows of one number say the same."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import PurePath

from ..core.errors import DataError, UsageError
from ..core.wording import counted
from ..tokens.graphemes import composed_note
from .loading import load
from .options import ReadOptions, read_options

_ENGLISH = ("en", "eng", "english")


@dataclass(frozen=True, slots=True)
class Parallel:
    """Texts of L languages, in lines that say the same.

    names: of the languages; texts [L][N]; fingerprints: of the files' rows; left_out: lines that are blank in one file or more;
    composed: how many texts of each file were brought into the composed form.
    """

    names: tuple[str, ...]
    texts: tuple[list[str], ...]
    fingerprints: tuple[str, ...]
    left_out: int
    composed: tuple[int, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What should be known of the texts."""
        changed = dict(zip(self.names, self.composed, strict=True))
        return (*blank_note(self.left_out), *composed_note(sum(self.composed), sum(map(len, self.texts)), changed))

    def reference(self, asked: str | None) -> int | None:
        """The number of the language that is ``asked`` for; else of English, if it is there.

        Raises:
            UsageError: there is none of that name.
        """
        if asked is None:
            found = [name for name in self.names if name.replace("_", "-").split("-")[0].lower() in _ENGLISH]
            return self.names.index(min(found, key=len)) if found else None
        if asked not in self.names:
            raise UsageError(f"there is no file of the language {asked!r}. There are {', '.join(sorted(self.names))}.")
        return self.names.index(asked)


def blank_note(left_out: int) -> tuple[str, ...]:
    """A note on lines that were left out of parallel text, none where none were."""
    return (f"{counted(left_out, 'line')} left out, blank in one file or more",) if left_out else ()


def load_parallel(files: Sequence[str | os.PathLike[str]], read: ReadOptions | None = None) -> Parallel:
    """Read parallel text. A line that is blank in any of the files is left out in all, and counted.

    Args:
        files: two or more, one a language; languages are named by where the paths differ.
        read: columns, encoding and format, of all of them.

    Raises:
        UsageError: there are fewer than two files, or one is named twice.
        DataError: they have not equally many rows, hold bad ones, or cannot be read.
    """
    paths = [os.fspath(file) for file in files]
    if len(paths) < 2:
        raise UsageError(f"got {len(paths)} file; wanted two or more of parallel text, one for each language.")
    if len(set(paths)) < len(paths):
        raise UsageError("a file is named twice. Name each once.")
    read = replace(read_options(read), unlabelled=True, label=None, texts=None, bad_rows="skip")
    texts, places, prints, changed, first = [], [], [], [], 0
    for number, path in enumerate(paths):
        with closing(load(path, read)) as corpus:
            if corpus.skipped and corpus.text_column is not None:
                raise DataError(f"{path}: {corpus.bad[0]}. Repair it: parallel text needs every row.")
            rows = len(corpus) + corpus.skipped
            first = first if number else rows
            if rows != first:
                raise DataError(
                    f"{paths[0]} has {first:,} lines and {path} has {rows:,}. In parallel text line i says the same in every "
                    "file, so there must be equally many."
                )
            texts.append([text for block in corpus.blocks() for text in block])
            places.append([corpus.place(row).removeprefix(path) for row in range(len(corpus))] if corpus.skipped else None)
            prints.append(corpus.fingerprint)
            changed.append(corpus.composed or 0)
    if any(places):
        texts = _common(texts, places)
    return Parallel(tuple(names_of(paths)), tuple(texts), tuple(prints), first - len(texts[0]), tuple(changed))


def names_of(paths: Sequence[str]) -> list[str]:
    """The languages that paths name: of their parts, between slashes and dots, the last ones that tell all of them apart, without
    those at the end that are the same: eng of ref.eng.txt, en of corpus.en, eng_Latn of eng_Latn/dev.tsv.
    """
    parts = [[part for folder in PurePath(path).parts for part in folder.split(".")] for path in paths]
    while len({tuple(part[-1:]) for part in parts}) == 1 and min(map(len, parts)) > 1:
        parts = [part[:-1] for part in parts]
    widths = range(1, max(map(len, parts)) + 1)
    names = ([".".join(part[-width:]) for part in parts] for width in widths)
    return next((found for found in names if len(set(found)) == len(paths)), list(paths))


def _common(texts: Sequence[list[str]], places: Sequence[list[str] | None]) -> list[list[str]]:
    """The texts of the lines that no file leaves out."""
    held = [None if where is None else dict(zip(where, own, strict=True)) for own, where in zip(texts, places, strict=True)]
    kept = set.intersection(*(set(own) for own in held if own is not None))
    if not kept:
        raise DataError("every line is blank in one file or another, so nothing compares.")
    order = next([place for place in own if place in kept] for own in held if own is not None)
    numbers = [int(place.rpartition(" ")[2]) - 1 for place in order]
    return [
        [own[number] for number in numbers] if by_place is None else [by_place[place] for place in order]
        for own, by_place in zip(texts, held, strict=True)
    ]
