"""Hashed n-grams and their places by a slow spelling of their definition."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

WORD, SINGLE = "word", "single"
UNSPACED = [
    range(0x0E00, 0x0F00), range(0x0F00, 0x1000), range(0x1000, 0x10A0), range(0x1780, 0x1800), range(0x3005, 0x3008),
    range(0x3040, 0x3100), range(0x31F0, 0x3200), range(0x3400, 0x4DC0), range(0x4E00, 0xA000), range(0xF900, 0xFB00),
    range(0xFF66, 0xFF9E), range(0x20000, 0x40000),
]  # fmt: skip


def folded(character: str) -> int:
    """The code point of the lower case, where that is one code point."""
    small = character.lower()
    return ord(small if len(small) == 1 else character)


def is_part_of_word(character: str) -> bool:
    """Letters, marks, digits, and what holds words together."""
    if character in "_'\u2019":
        return True
    listed = ord(character) < 0x40000 and unicodedata.category(character)[0] in "LMN"
    return listed and not any(ord(character) in block for block in UNSPACED)


def is_space(character: str) -> bool:
    """Separators and controls (unassigned points and halves of pairs among them)."""
    return ord(character) < 0x40000 and unicodedata.category(character)[0] in "ZC"


def tokens_of(text: str) -> Iterator[tuple[str, str]]:
    """Each token with its kind."""
    word = ""
    for character in text:
        if is_part_of_word(character):
            word += character
            continue
        if word:
            yield WORD, word
        word = ""
        if not is_space(character):
            yield SINGLE, character
    if word:
        yield WORD, word


def wrap(number: int) -> int:
    """Modulo 2^64."""
    return number & 0xFFFF_FFFF_FFFF_FFFF


def mix(h: int) -> int:
    """The 64-bit finaliser of MurmurHash3."""
    h = wrap((h ^ h >> 33) * 0xFF51AFD7ED558CCD)
    h = wrap((h ^ h >> 33) * 0xC4CEB9FE1A85EC53)
    return h ^ h >> 33


def fnv(numbers: list[int]) -> int:
    """FNV-1a, a code point at a time."""
    h = 0xCBF29CE484222325
    for number in numbers:
        h = wrap((h ^ number) * 0x100000001B3)
    return h


def hash_of(kind: str, token: str) -> int:
    """A token's hash."""
    return mix(wrap(folded(token) + 0x9E3779B97F4A7C15)) if kind == SINGLE else mix(fnv([folded(c) for c in token]))


def located(text: str, words: int, chars: int, bits: int) -> list[tuple[int, int, int]]:
    """The buckets of a text's n-grams, words in the lower half and characters in the upper, with their first characters and
    those after their last, sorted.
    """
    found, half = [], 1 << (bits - 1)
    placed, at = [], 0
    for kind, token in tokens_of(text):
        first = text.index(token, at)
        at = first + len(token)
        placed.append((kind, token, first))
    start, end = 0x8EBC6AF09C88C6E3, 0x589965CC75374CC3
    middle = [(hash_of(kind, token), first, first + len(token)) for kind, token, first in placed]
    hashes = [(start, None, None), *middle, (end, None, None)] if placed else []
    spans = [hashes[at : at + n] for n in range(1, words + 1) for at in range(len(hashes) - n + 1)]
    if words > 1 and len(hashes) > words:
        spans.append(hashes[: words + 1])
    for span in spans:
        gram = span[0][0]
        for token_hash, _, _ in span[1:]:
            gram = wrap(gram * 0xD6E8FEB86659FD93) ^ token_hash
        covered = [(first, last) for _, first, last in span if first is not None]
        if covered:
            found.append((mix(gram) >> (65 - bits), covered[0][0], covered[-1][1]))
    for kind, token, begin in placed:
        marked = [(0x110001, None), *((folded(each), begin + place) for place, each in enumerate(token)), (0x110001, None)]
        spans = [marked[at : at + n] for n in range(2, chars + 1) for at in range(len(marked) - n + 1)]
        for letters in spans if kind == WORD else []:
            places = [place for _, place in letters if place is not None]
            found.append((half + (mix(fnv([number for number, _ in letters])) >> (65 - bits)), places[0], places[-1] + 1))
    return sorted(found)


def slowly(text: str, words: int, chars: int, bits: int) -> list[int]:
    """The buckets alone, sorted."""
    return [bucket for bucket, _, _ in located(text, words, chars, bits)]
