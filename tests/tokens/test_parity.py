"""Merges for the language that takes the most tokens: the same as by a plain count of all pairs before each."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from lossworks import tokens
from lossworks.core.errors import DataError, UsageError
from lossworks.tokens import Tokenizer, merging, pair_places

Counts = dict[bytes, int]
TEXTS = {
    "eng": ["the cat isn't on the mat", "the dog sat, the cat sat", "and 2024 the 2024"],
    "tha": ["แมวไม่อยู่บนเสื่อ", "หมานั่ง แมวนั่ง", "และ 2024 แมวแมว"],
    "bod": ["ཞི་མི་དེ་ཁྲི་ལ་མེད།", "ཁྱི་དེ་བསྡད། ཞི་མི་བསྡད།", "དང་ 2024 ཞི་མི་"],
}


def by_counting(languages: Sequence[Counts], sizes: Sequence[float], symbols: int, plain: float) -> list[tuple[int, int]]:
    """The merges of ``merges_of``, by counting every pair of every word before each merge."""
    spelled = [bytes([byte]) for byte in range(256)]
    words = [[(list(word), count) for word, count in counts.items()] for counts in languages]
    merges: list[tuple[int, int]] = []
    spent: set[int] = set()
    while len(spelled) < symbols:
        if len(spelled) < 256 + round(plain * (symbols - 256)):
            chosen = [word for own in words for word in own]
        else:
            left = [language for language in range(len(words)) if language not in spent]
            if not left:
                break
            worst = max(left, key=lambda i: (sum(len(word) * count for word, count in words[i]) / sizes[i], -i))
            chosen = words[worst]
        pairs: Counter[tuple[int, int]] = Counter()
        for word, count in chosen:
            for pair in pairwise(word):
                pairs[pair] += count
        best = min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)
        if best is None or pairs[best] < 2:
            if len(spelled) < 256 + round(plain * (symbols - 256)):
                break
            spent.add(worst)
            continue
        merges.append(best)
        name = spelled[best[0]] + spelled[best[1]]
        symbol = spelled.index(name) if name in spelled else len(spelled)
        spelled += [name][: symbol == len(spelled)]
        for word, _ in (each for own in words for each in own):
            at = 0
            while at + 1 < len(word):
                if (word[at], word[at + 1]) == best:
                    word[at : at + 2] = [symbol]
                at += 1
    return merges


def learnt(spec: str) -> Tokenizer:
    """Learnt from the three languages."""
    languages = [name for name, texts in TEXTS.items() for _ in texts]
    return tokens.build(spec).learn([[text] for texts in TEXTS.values() for text in texts], languages=languages)


@pytest.mark.parametrize("plain", [0.0, 0.4, 1.0])
def test_by_counting(plain: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words of few letters, so that runs, ties and equal spellings abound; tables that must grow; languages that are spent."""
    monkeypatch.setattr(merging, "_SLOTS", pair_places.BLOCK)
    for seed in range(8):
        draw = random.Random(seed)
        languages = [
            {bytes(draw.choices(letters, k=draw.randint(1, 9))): draw.randint(1, 6) for _ in range(draw.randint(2, 60))}
            for letters in (b"a", b"ab", b"abc\xff", bytes(range(256)))
        ]
        sizes = [draw.randint(1, 5) for _ in languages]
        symbols = 256 + draw.choice([1, 10, 60, 1000])
        merges, costs = merging.merges_of(languages, sizes, symbols, plain)
        assert [tuple(pair) for pair in merges.tolist()] == by_counting(languages, sizes, symbols, plain)
        assert (costs > 0).all()


def test_costs_what_it_says() -> None:
    """The encoder reaches the tokens that training counted, words whole over vowel marks, tshegs and apostrophes; lossless."""
    tokenizer = learnt("parity_bpe:size=280")
    assert tokenizer.lossless
    for texts in TEXTS.values():
        assert [tokenizer.decode(tokenizer.encode([text])[0]) for text in texts] == texts
    large = learnt("parity_bpe:size=2000")
    assert large.vocabulary.size < 2000
    spelled = [large.spelling(token) for token in range(large.vocabulary.size)]
    assert {" 2024", " the"} <= set(spelled)
    assert any("\u0f0b" in name.strip("\u0f0b") for name in spelled), "a word of Tibetan goes on over the tsheg"
    assert any("\u0e48" in name[1:-1] for name in spelled), "one of Thai over a tone"
    totals = {name: len(tokenizer.encode(texts)[0]) for name, texts in TEXTS.items()}
    assert max(totals.values()) - min(totals.values()) <= 2
    plain = {name: len(learnt("parity_bpe:size=280,plain=1").encode(texts)[0]) for name, texts in TEXTS.items()}
    assert max(plain.values()) > max(totals.values()) > sum(plain.values()) / 3


def test_what_it_needs() -> None:
    """Languages; texts that are not empty; more than the bytes; a share."""
    spec = tokens.build("parity_bpe:size=300")
    with pytest.raises(UsageError, match="lossworks tokens build"):
        spec.learn([["a"]])
    with pytest.raises(DataError, match="nothing to learn"):
        spec.learn([[""]], languages=["eng"])
    for bad in ("parity_bpe:size=257", "parity_bpe:plain=1.5"):
        with pytest.raises(UsageError):
            tokens.build(bad)


def test_saved(tmp_path: Path) -> None:
    """The file is the library's own, and reads back to the same tokens; learning again gives the same file."""
    learnt("parity_bpe:size=400").save(tmp_path / "a.json")
    learnt("parity_bpe:size=400").save(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    again = tokens.load(tmp_path / "a.json")
    assert again.lossless
    for texts in TEXTS.values():
        assert again.encode(texts)[0].tolist() == learnt("parity_bpe:size=400").encode(texts)[0].tolist()
