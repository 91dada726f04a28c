"""A lexicon: words and phrases, each with the label that it speaks for."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import DataError, RecordError, UsageError
from ..core.seeds import generator
from ..data import Corpus, ReadOptions, class_names, load
from ..data.columns import LABEL_NAMES
from ..data.formats.parquet import MAGIC
from ..data.sources import chunks
from ..record import read_object, write_json
from ..tasks import LabelTask
from ..tokens.ngrams import words_in
from .sources import LabelSource

_FILE = "lexicon.json"
Phrase = tuple[str, ...]


class LexiconSource(LabelSource):
    """The logit of a label is the sum of the weights of its words in the text; without any it is silent.

    Words are compared in folded case and composed form (NFC), as wholes. Where phrases overlap, the first counts, and of those
    that begin together the longest: "not good" is then not "good".

    Args:
        entries: of each phrase, as ``phrase_of`` has it, a weight for each label.
        labels: how many labels the task has.
        scale: what the sums are multiplied with.
    """

    kind = "lexicon"

    def __init__(self, entries: Mapping[Phrase, ArrayLike], labels: int, scale: float = 1.0) -> None:
        self.entries = {phrase: np.asarray(weights, np.float64) for phrase, weights in entries.items()}
        self.labels, self.scale = labels, scale
        self._longest = max(map(len, self.entries))

    @classmethod
    def open(cls, where: str, task: LabelTask) -> LexiconSource:
        """Read a file of words (the column ``word``, or the first), labels, and weights where there is a column ``weight``.

        Raises:
            UsageError: no file is named. DataError: it has no rows, or a label that the task has not; names its line.
        """
        if not where:
            raise UsageError("lexicon: which file? Give lexicon:FILE, with a word and its label in each row.")
        with closing(load(where, _columns(Path(where)))) as corpus:
            return cls(_entries(corpus, task), len(task.labels))

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        found = np.full((len(texts), self.labels), np.nan)
        for row, text in enumerate(texts):
            if hits := [self.entries[phrase] for phrase in self.hits(text)]:
                found[row] = self.scale * np.sum(hits, 0)
        return found

    def hits(self, text: str) -> Iterator[Phrase]:
        """The phrases found in a text, in their order."""
        words = phrase_of(text)
        at = 0
        while at < len(words):
            sizes = range(min(self._longest, len(words) - at), 0, -1)
            phrase = next((words[at : at + size] for size in sizes if words[at : at + size] in self.entries), None)
            if phrase:
                yield phrase
            at += len(phrase or " ")

    def cut(self, seed: int) -> LexiconSource:
        """The same words, with the weights that belong to other ones, at random: what is left where words know nothing."""
        order = generator(seed, "lexicon").permutation(len(self.entries))
        weights = list(self.entries.values())
        return LexiconSource(dict(zip(self.entries, (weights[i] for i in order), strict=True)), self.labels, self.scale)

    def save(self, folder: Path) -> None:
        entries = [[list(phrase), weights.tolist()] for phrase, weights in self.entries.items()]
        write_json(folder / _FILE, {"scale": self.scale, "entries": entries})

    @classmethod
    def load(cls, folder: Path, task: LabelTask) -> LexiconSource:
        saved = read_object(folder / _FILE)
        entries = {tuple(phrase): weights for phrase, weights in saved["entries"]}
        if not entries or any(len(weights) != len(task.labels) for weights in entries.values()):
            raise RecordError(f"{folder / _FILE} is not for {len(task.labels)} labels. Restore it from a copy, or fuse again.")
        return cls(entries, len(task.labels), float(saved["scale"]))


def phrase_of(text: str) -> Phrase:
    """The words of a text as a lexicon compares them."""
    return tuple(words_in(unicodedata.normalize("NFC", text.casefold())))


def _entries(corpus: Corpus, task: LabelTask) -> dict[Phrase, NDArray[np.float64]]:
    entries: dict[Phrase, NDArray[np.float64]] = {}
    weights = np.ones(len(corpus)) if corpus.weights is None else corpus.weights
    number = {label: at for at, label in enumerate(task.labels)}
    words = [word for block in corpus.blocks() for word in block]
    for row, (word, label, weight) in enumerate(zip(words, class_names(corpus), weights, strict=True)):
        if label not in number:
            raise DataError(f"{corpus.place(row)}: {label!r} is no label of the task. Labels: {', '.join(task.labels)}.")
        entries.setdefault(phrase_of(word), np.zeros(len(number)))[number[label]] += weight
    return entries


def _columns(path: Path) -> ReadOptions:
    """Which columns are word and weight, by their names; without names, the first and the third.

    Raises:
        DataError: there is but one column.
    """
    names = _first_cells(path)
    plain = [name.casefold() for name in names]
    if len(names) < 2 and names != [""]:  # of an empty file the reader says so
        raise DataError(f"{path} has one column; wanted a word and its label in each row, parted by a comma or a tab.")
    if not {*plain} & {*LABEL_NAMES}:
        return ReadOptions(text=1, label=2, weight=3 if len(names) > 2 else None)
    word = plain.index("word") if "word" in plain else next(at for at, name in enumerate(plain) if name not in LABEL_NAMES)
    return ReadOptions(text=word + 1, weight=names[plain.index("weight")] if "weight" in plain else None)


def _first_cells(path: Path) -> list[str]:
    """The names of the columns, or where there are none the cells of the first row."""
    start = next(chunks(path))  # of an empty file nothing
    if start.startswith(MAGIC):
        import polars as pl

        try:
            return list(pl.read_parquet_schema(path))
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
            raise DataError(f"{path} is damaged ({error}). Get the file again.") from None
    line = start.decode("utf-8-sig", "replace").lstrip().partition("\n")[0]
    if line.startswith("{"):
        with suppress(ValueError, RecursionError):
            return list(json.loads(line))
    return [cell.strip().strip('"') for cell in line.split(max("\t,;|", key=line.count))]
