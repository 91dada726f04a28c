"""Hashed n-grams against a slow spelling of their definition, over text of every kind."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossworks.tokens.ngrams import hashed_ngrams

BITS = 20
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


def slowly(text: str, words: int, chars: int, bits: int) -> list[int]:
    """The buckets of a text's n-grams, sorted: words in the lower half, characters in the upper."""
    found, half = [], 1 << (bits - 1)
    tokens = list(tokens_of(text))
    start, end = 0x8EBC6AF09C88C6E3, 0x589965CC75374CC3
    hashes = [start, *(hash_of(*token) for token in tokens), end] if tokens else []
    spans = [hashes[at : at + n] for n in range(1, words + 1) for at in range(len(hashes) - n + 1)]
    if words > 1 and len(hashes) > words:
        spans.append(hashes[: words + 1])
    for span in spans:
        gram = span[0]
        for token_hash in span[1:]:
            gram = wrap(gram * 0xD6E8FEB86659FD93) ^ token_hash
        if span not in ([start], [end]):
            found.append(mix(gram) >> (65 - bits))
    for kind, token in tokens:
        marked = [0x110001, *map(folded, token), 0x110001]
        spans = [marked[at : at + n] for n in range(2, chars + 1) for at in range(len(marked) - n + 1)]
        found += [half + (mix(fnv(span)) >> (65 - bits)) for span in spans if kind == WORD]
    return sorted(found)


def quickly(texts: list[str], words: int, chars: int, bits: int = BITS) -> list[list[int]]:
    """What is tested: each text's buckets, sorted."""
    buckets, offsets = hashed_ngrams(texts, words, chars, bits)
    assert len(offsets) == len(texts) + 1
    assert offsets[0] == 0
    assert offsets[-1] == len(buckets)
    return [sorted(buckets[a:b].tolist()) for a, b in pairwise(offsets)]


HARD = [
    "", " ", "\x00", "a\x85b\u2028c\u00a0d",  # nothing, NUL, next line, line separator, no-break space
    "I love this product!", "don't l’eau snake_case it's 'quoted'", "ÀÉÎ İstanbul ẞ ſ Ǆ ΑΣ",
    "我不满意这个产品。", "𠀋𠮟㐀 々〇", "今日はとてもいい天気ですね。ﾊﾝｶｸ カタカナー", "ฉันรักผลิตภัณฑ์นี้", "မြန်မာ ខ្មែរ བོད་",
    "أنا أحبُّ هذا المنتج", "می‌خواهم", "שָׁלוֹם", "한국어 문장", "हिन्दी में", "e\u0301a\u0308 a\u0308", "👍🏽 👨‍👩‍👧‍👦 🇩🇪❤️",
    "\ud83d half \ude00", "\U000e0100\U0010ffff\U000f0000", "a" * 5000, "好" * 3000, "!" * 2000, " " * 3000 + "end",
]  # fmt: skip
ALPHABET = "aAbZ09_'’ \t\n\x85\u3000.,!我你好日のカฉันนี้أحب한👍\u200d\u0301\ud800\U0001d400İßΣ𠀋"
texts_of_all_kinds = st.one_of(
    st.text(st.sampled_from(ALPHABET), max_size=40), st.text(st.characters(codec=None), max_size=20), st.sampled_from(HARD)
)


@pytest.mark.parametrize(("words", "chars"), [(1, 0), (2, 5), (3, 2), (4, 7)])
def test_hard_texts(words: int, chars: int) -> None:
    """Every script, broken surrogates, controls, runs of thousands: the buckets are those of the slow spelling."""
    wanted = [slowly(text, words, chars, BITS) for text in HARD]
    assert quickly(HARD, words, chars) == wanted


@settings(max_examples=120, deadline=None)
@given(st.lists(texts_of_all_kinds, max_size=5), st.integers(1, 4), st.sampled_from([0, 2, 3, 5]), st.integers(8, 28))
def test_any_texts(texts: list[str], words: int, chars: int, bits: int) -> None:
    """The same for texts drawn at random, also none at all, and any size of hash."""
    assert quickly(texts, words, chars, bits) == [slowly(text, words, chars, bits) for text in texts]


def test_a_text_does_not_see_its_neighbours() -> None:
    """N-grams end where their text ends."""
    assert quickly(HARD, 3, 5) == [quickly([text], 3, 5)[0] for text in HARD]


def test_the_halves() -> None:
    """Words fall in the lower half of the buckets, characters in the upper, and both halves are used to their ends."""
    texts = [f"word{number} letter{number}" for number in range(3000)]
    words, both = (np.fromiter(chain.from_iterable(quickly(texts, 2, n)), int) for n in (0, 4))
    half = 1 << (BITS - 1)
    assert words.max() < half
    assert np.array_equal(np.sort(both[both < half]), np.sort(words))
    assert both.max() < 2 * half
    assert both.max() - half > 0.99 * half < words.max() * 1.02


@pytest.mark.parametrize(
    ("one", "other"),
    [("I LOVE This", "i love this"), ("ÉCOLE Ångström", "école ångström"), ("МОСКВА", "москва"), ("ΑΘΗΝΑ", "αθηνα")],
)
def test_case_is_folded(one: str, other: str) -> None:
    """Capitals and small letters share their buckets."""
    assert quickly([one], 2, 5) == quickly([other], 2, 5)


def test_letters_stay_distinct() -> None:
    """Accents, order and word limits matter."""
    texts = ["resume", "résumé", "re sume", "semure"]
    assert len({tuple(found) for found in quickly(texts, 1, 0)}) == len(texts)
    ordered = quickly(["good not bad", "bad not good"], 2, 0)
    assert ordered[0] != ordered[1]


@pytest.mark.parametrize("word", ["don't", "l’eau", "snake_case", "naïve", "أحبُّ", "हिन्दी", "2024", "한국어"])
def test_one_word(word: str) -> None:
    """Apostrophes, marks and digits do not break a word."""
    (found,) = quickly([word], 1, 0)
    assert len(found) == 1


def test_the_ends_of_a_text_count() -> None:
    """What stands first or last is told from the same words elsewhere, by n-grams of two and more."""
    (asks, answers), (asks_bag, answers_bag) = (
        quickly(["who is it", "it is who"], 2, 0),
        quickly(["who is it", "it is who"], 1, 0),
    )
    assert asks_bag == answers_bag
    assert len(set(asks) - set(answers)) == len(("^ who", "^ who is", "who is", "is it", "it $"))


def test_characters_of_unspaced_scripts() -> None:
    """Chinese gives its characters and their pairs, found again in any sentence; no character n-grams besides."""
    (sentence,) = quickly(["我爱你"], 2, 5)
    assert len(sentence) == 3 + 2 + len(("^我", "^我爱", "你$"))
    for inner, shared in (("我", 1), ("爱", 1), ("你", 1), ("我爱", 3), ("爱你", 3), ("我你", 2)):
        assert len(set(quickly([f"们{inner}们"], 2, 5)[0]) & set(sentence)) == shared


def test_endings_are_shared() -> None:
    """Words of one stem, or with a typo, share character n-grams; unrelated ones do not."""
    satisfied, dissatisfied, banana = (set(found) for found in quickly(["satisfied", "dissatisfied", "banana"], 1, 5))
    assert len(satisfied & dissatisfied) > len(satisfied) / 2
    assert not satisfied & banana


def test_collisions_are_those_of_chance() -> None:
    """Of n words in m buckets about n²/2m collide, for words that differ in one digit too."""
    count, buckets = 20_000, 1 << (BITS - 1)
    found = hashed_ngrams([f"w{number}" for number in range(count)], 1, 0, BITS)[0]
    expected = count - buckets * (1 - (1 - 1 / buckets) ** count)
    assert abs((count - len(np.unique(found))) - expected) < 5 * expected**0.5


@pytest.mark.parametrize("count", [1, 2, 4])
def test_threads_do_not_matter(count: int, threads: Callable[[int], None]) -> None:
    """The same buckets, in the same places, on any number of threads."""
    texts = HARD * 20 + [f"review number {number} 第{number}条" for number in range(1000)]
    threads(1)
    alone = hashed_ngrams(texts, 2, 5, BITS)
    threads(count)
    shared = hashed_ngrams(texts, 2, 5, BITS)
    assert all(np.array_equal(a, b) for a, b in zip(alone, shared, strict=True))
