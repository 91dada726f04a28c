"""Hashed n-grams against a slow spelling of their definition, over text of every kind."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossworks.core.errors import UsageError
from lossworks.tokens import ngrams
from lossworks.tokens.ngrams import hashed_ngrams, located_ngrams
from tokens.spelling import located, slowly

BITS = 20


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


def located_quickly(texts: list[str], words: int, chars: int) -> list[list[tuple[int, int, int]]]:
    """Each text's buckets with their places in it, sorted."""
    found = located_ngrams(texts, words, chars, BITS)
    assert (found.buckets == hashed_ngrams(texts, words, chars, BITS)[0]).all()
    begins = np.cumsum([0, *map(len, texts)])
    rows = [(bucket, *span) for bucket, span in zip(found.buckets.tolist(), found.spans.tolist(), strict=True)]
    each = [rows[a:b] for a, b in pairwise(found.offsets)]
    return [sorted((row, a - begin, b - begin) for row, a, b in own) for own, begin in zip(each, begins, strict=False)]


@pytest.mark.parametrize(("words", "chars"), [(1, 0), (2, 5), (3, 2)])
def test_places_in_hard_texts(words: int, chars: int, threads: Callable[[int], None]) -> None:
    """Where every n-gram stands, by any number of threads: the ends of words and of texts take no place."""
    wanted = [located(text, words, chars, BITS) for text in HARD]
    assert located_quickly(HARD, words, chars) == wanted
    threads(3)
    assert located_quickly(HARD, words, chars) == wanted


@settings(max_examples=60, deadline=None)
@given(st.lists(texts_of_all_kinds, max_size=4), st.integers(1, 4), st.sampled_from([0, 2, 3, 5]))
def test_places_in_any_texts(texts: list[str], words: int, chars: int) -> None:
    """The same for texts drawn at random."""
    assert located_quickly(texts, words, chars) == [located(text, words, chars, BITS) for text in texts]


def test_the_rest_of_a_hash_tells_ngrams_apart() -> None:
    """In a table so small that buckets are shared, the same n-grams have the same rest, and others have others."""
    found = located_ngrams(["one two three four five six seven eight nine ten"] * 2, 1, 3, 8)
    pairs = list(zip(found.buckets.tolist(), found.rest.tolist(), strict=True))
    assert pairs[: len(pairs) // 2] == pairs[len(pairs) // 2 :]
    assert len(set(found.buckets.tolist())) < len(set(pairs)) == len(set(found.rest.tolist()))


def test_too_long_to_be_located(monkeypatch: pytest.MonkeyPatch) -> None:
    """Places are counted in 32 bits."""
    monkeypatch.setattr(ngrams, "points", lambda texts: (np.broadcast_to(np.uint32(97), 1 << 31), np.array([0, 1 << 31])))
    with pytest.raises(UsageError, match="2,147,483,648 characters"):
        located_ngrams(["a"], 1, 0, BITS)


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
