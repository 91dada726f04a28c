"""Words: whatever white space parts, as the Penn Treebank's language-model texts are meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import DataError, UsageError
from ..core.memory import available
from .base import END, SPECIALS, START, UNKNOWN, Encoded, Progress, Tokenizer, TokenizerSpec, counted, tokenizers, too_many, write
from .vocabulary import Vocabulary
from .word_table import WordTable, words_of

_A_WORD = 270  # bytes of a dictionary, a sorted list and two tables, beside those that counting takes


@tokenizers.add("words", source="Mikolov et al. 2010, Interspeech (the Penn Treebank's texts, already cut)")
@dataclass(frozen=True, kw_only=True)
class WordsSpec(TokenizerSpec):
    """What white space parts is a word. Which space it was is forgotten, so it is not lossless; ``<unk>`` is the unknown word.

    Keys: min_count, how often a word must occur in the training texts; max_size, the most words kept (the most frequent);
    lower, whether words are read in lower case; ascii, whether space, tab and the ends of lines alone part words, so that one may
    hold a no-break space. All other words are unknown.
    """

    min_count: int = 1
    max_size: int | None = None
    lower: bool = False
    ascii: bool = False

    def __post_init__(self) -> None:
        if self.min_count < 1 or (self.max_size is not None and self.max_size < 1):
            raise UsageError(f"got min_count={self.min_count}, max_size={self.max_size}; wanted 1 or more.")

    def learn(
        self, blocks: Iterable[Sequence[str]], progress: Progress = lambda texts: None, languages: Sequence[str] | None = None
    ) -> Words:
        table, spelled = WordTable(), list[str]()
        for texts in counted(blocks, progress):
            words = words_of(texts, self.lower, self.ascii)
            spelled += map(words.spelled, table.add(words.hashes))
            if (needed := _A_WORD * table.used) > (there := available()):
                raise too_many(needed, there)
        counts = dict(zip(spelled, table.counts[: table.used].tolist(), strict=True))
        marks = sum(counts.pop(mark, 0) for mark in (START, END))
        counts.pop(UNKNOWN, None)
        if not counts:
            raise DataError("the training texts hold no words, so there is nothing to learn.")
        kept = sorted((word for word in counts if counts[word] >= self.min_count), key=lambda word: (-counts[word], word))
        note = f"{START} or {END} stand {marks:,} times within training texts, and are read as the unknown word"
        return Words(self, kept[: self.max_size], (note,) if marks else ())

    def restore(self, saved: dict[str, Any]) -> Words:
        words = saved["words"]
        if not all(isinstance(word, str) for word in words):
            raise TypeError("a word is not text")
        return Words(self, words)


class Words(Tokenizer):
    """``words[i]`` is token i + 3."""

    lossless = False

    def __init__(self, spec: WordsSpec, words: Sequence[str], notes: tuple[str, ...] = ()) -> None:
        self.spec, self.notes = spec, notes
        self.vocabulary = Vocabulary(len(words) + len(SPECIALS))
        self._words = [*SPECIALS, *words]
        self._table = WordTable()
        found = words_of(self._words[len(SPECIALS) :], False, spec.ascii)
        if (np.diff(found.offsets) != 1).any() or len(self._table.add(found.hashes)) < len(words):
            raise ValueError("its words are not single and distinct")
        self._values = np.arange(len(SPECIALS), len(self._words), dtype=self.dtype)

    def encode(self, texts: Sequence[str]) -> Encoded:
        words = words_of(texts, self.spec.lower, self.spec.ascii)
        return self._table.numbers(words.hashes, self._values, 0), words.offsets

    def decode(self, ids: Sequence[int] | NDArray[Any]) -> str:
        return " ".join(self._words[token] for token in ids)

    def spans(self, text: str) -> NDArray[np.int64]:
        words = words_of([text], False, self.spec.ascii)
        return np.stack([words.begin, words.end], 1)

    def spelling(self, token: int) -> str:
        return self._words[token]

    def save(self, path: Path) -> None:
        write(path, self.spec, words=self._words[len(SPECIALS) :])
