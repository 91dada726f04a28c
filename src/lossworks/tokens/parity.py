"""Pairs of bytes merged for the language that is told in the most tokens, so that all come to cost the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import regex

from ..core import domains
from ..core.errors import DataError, UsageError
from .base import Progress, counted, tokenizers
from .bpe import Bpe, BpeSpec, of_merges
from .merging import merges_of

# A word may begin with a space. It goes on over marks (vowels of Indic scripts and tones are such), joiners and an apostrophe
# inside; over the tsheg too, with which Tibetan parts syllables, and uses no spaces.
_LETTERS = "[\\p{L}\\p{M}\u0f0b\u200c\u200d]"
_WORD = rf" ?{_LETTERS}+(?:['’]{_LETTERS}+)*| ?\p{{N}}+| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+|\s+(?!\S)|\s+"
_WORDS = regex.compile(_WORD)


@tokenizers.add("parity_bpe", source="Foroutan et al. 2025, arXiv:2508.04796, algorithm 1; plain: their hybrid")
@dataclass(frozen=True, kw_only=True)
class ParityBpeSpec(BpeSpec):
    """Byte-pair encoding, each merge for the language whose texts take the most tokens by then. It needs each text's language.

    A language's texts are taken to say as much as another one's, best line by line (parallel text). Words are told from one
    another in scripts of all kinds, so marks on letters do not cut them. Nothing is unknown, and it is lossless.

    Keys: size, how many tokens there are, the 256 bytes and the two marks of start and end among them; plain, the share of the
    merges, the first ones, that are of the most frequent pair of all languages, as in plain byte-pair encoding: fewer tokens in
    all, less alike.
    """

    size: int = 32000
    plain: float = 0.0

    def __post_init__(self) -> None:
        BpeSpec.__post_init__(self)
        domains.fraction(self, "plain")

    def learn(
        self, blocks: Iterable[Sequence[str]], progress: Progress = lambda texts: None, languages: Sequence[str] | None = None
    ) -> Bpe:
        if languages is None:
            raise UsageError(
                "parity_bpe chooses its merges by language, and the texts name none. Say --language, or build it from a file for "
                "each language, lossworks tokens build FILE... --tokenizer parity_bpe --out tokens.json, and give that file."
            )
        words: dict[str, Counter[str]] = {name: Counter() for name in dict.fromkeys(languages)}
        texts, names = Counter(languages), iter(languages)
        for block in counted(blocks, progress):
            for text, name in zip(block, names, strict=False):
                words[name].update(_WORDS.findall(text))
        if not any(words.values()):
            raise DataError("the training texts hold no characters, so there is nothing to learn.")
        spelled = [{word.encode("utf-8", "replace"): count for word, count in found.items()} for found in words.values()]
        merges, _ = merges_of(spelled, [texts[name] for name in words], self.size - 2, self.plain)
        made = of_merges(merges.tolist(), _WORD)
        made.notes = tuple(_notes(made.vocabulary.size, self.size, texts))
        return made


def _notes(size: int, wanted: int, texts: Counter[str]) -> Iterator[str]:
    if size < wanted:
        yield f"the texts have pairs that recur for {size:,} tokens and no more"
    few, many = min(texts, key=texts.__getitem__), max(texts, key=texts.__getitem__)
    if texts[few] < texts[many]:
        yield (
            f"{few} has {texts[few]:,} texts and {many} {texts[many]:,}: languages are compared by tokens a text, so their texts "
            "should say equally much"
        )
