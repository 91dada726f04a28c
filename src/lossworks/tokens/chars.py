"""Characters: every code point a token."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core import domains
from ..core.errors import DataError
from .base import SPECIALS, Encoded, Progress, Tokenizer, TokenizerSpec, counted, tokenizers, write
from .characters import LIMIT, points, text_of
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    import tokenizers as library

_REPLACEMENT = 0xFFFD  # how an unknown character reads


@tokenizers.add("chars", source="Unicode code points")
@dataclass(frozen=True, kw_only=True)
class CharsSpec(TokenizerSpec):
    """Every character (Unicode code point) is a token, spaces and newlines too; lossless but for unknown ones.

    Keys: min_count, how often a character must occur in the training texts; rarer ones are unknown.
    """

    min_count: int = 1

    def __post_init__(self) -> None:
        domains.count(self, "min_count")

    def learn(
        self, blocks: Iterable[Sequence[str]], progress: Progress = lambda texts: None, languages: Sequence[str] | None = None
    ) -> Chars:
        counts = np.zeros(LIMIT, np.int64)
        for texts in counted(blocks, progress):
            codes = points(texts)[0]
            counts += np.bincount(codes, minlength=LIMIT)
        if not counts.any():
            raise DataError("the training texts hold no characters, so there is nothing to learn.")
        return Chars(self, np.flatnonzero(counts >= self.min_count).astype(np.uint32))

    def restore(self, saved: dict[str, Any]) -> Chars:
        codes = np.array(list(map(ord, saved["characters"])), np.uint32)
        if (codes[1:] <= codes[:-1]).any():
            raise ValueError("its characters are not in order")
        return Chars(self, codes)


class Chars(Tokenizer):
    """Code point ``codes[i]`` is token i + 3; the codes rise."""

    lossless = True

    def __init__(self, spec: CharsSpec, codes: NDArray[np.uint32]) -> None:
        self.spec = spec
        self.vocabulary = Vocabulary(len(codes) + len(SPECIALS))
        self._codes = np.concatenate([np.full(len(SPECIALS), _REPLACEMENT, np.uint32), codes])
        self._ids = np.zeros(LIMIT, self.dtype)
        self._ids[codes] = np.arange(len(SPECIALS), len(self._codes))

    def encode(self, texts: Sequence[str]) -> Encoded:
        codes, offsets = points(texts)
        return self._ids[codes], offsets

    def decode(self, ids: Sequence[int] | NDArray[Any]) -> str:
        return text_of(self._codes[np.asarray(ids, np.int64)])

    def spans(self, text: str) -> NDArray[np.int64]:
        first = np.arange(len(text))
        return np.stack([first, first + 1], 1)

    def spelling(self, token: int) -> str:
        return SPECIALS[token] if token < len(SPECIALS) else chr(self._codes[token])

    def save(self, path: Path) -> None:
        write(path, self.spec, characters=text_of(self._codes[len(SPECIALS) :]))

    def library(self) -> library.Tokenizer:
        from tokenizers import Regex, decoders, models, pre_tokenizers
        from tokenizers import Tokenizer as Library

        made = Library(models.WordLevel({self.spelling(token): token for token in range(self.vocabulary.size)}, SPECIALS[0]))
        made.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
        made.decoder = decoders.Fuse()
        made.add_special_tokens(list(SPECIALS))
        made.encode_special_tokens = True
        return made
