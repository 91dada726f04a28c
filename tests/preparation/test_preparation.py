"""Normal form, digests, shingles, near doubles and leaks: what they are by definition, whatever the chunks and threads."""

from __future__ import annotations

import os
import random
import re
import unicodedata
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossworks.core import threads
from lossworks.core.errors import UsageError
from lossworks.preparation import (
    MOST,
    NEAR,
    Pairs,
    Texts,
    bands,
    candidates,
    digests,
    jaccard,
    leaks,
    near_pairs,
    normalise,
    removed,
    repeats,
    rules,
    verified,
)
from lossworks.preparation.boilerplate import recurring_lines, recurring_openings
from lossworks.preparation.personal import masked, personal

ENGLISH = [
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "lazy",
    "dog",
    "while",
    "seven",
    "wizards",
    "quietly",
    "near",
    "harbour",
    "town",
]
CHARACTERS = "aé\u0301\u0323 \t\n\r\x00\ufeff\u2028\u3000각ᄀ\u1161ক\u09c7\u09be\u0958Å\U0001f600"
CHINESE = "春眠不覺曉處處聞啼鳥夜來風雨聲花落知多少欲窮千里目更上一層樓山外青天紅杏出牆白日依盡黃河入海流床前明月光疑是地上霜"


def _texts(seed: int = 0, count: int = 40) -> list[str]:
    """Texts in two scripts, each followed by a double of it with a letter or two changed."""
    rng, found = random.Random(seed), []
    for n in range(count):
        text = " ".join(rng.choices(ENGLISH, k=25)) if n % 2 else "".join(rng.choices(CHINESE, k=60))
        places, changed = rng.sample(range(len(text)), 2), list(text)
        for place in places:
            changed[place] = "ж"
        found += [text, "".join(changed)]
    return [*found, "", "", "?!", "?!", "no", "No", "yes"]


def _shingles(text: str, beside: str = "") -> set[str]:
    """By the definition, in plain Python; of a text that is compared with another."""
    letters = [c for c in text.lower() if unicodedata.category(c)[0] in "LNM"] or [c for c in text if c > " "]
    weights = [4 if "\u4e00" <= c <= "\u9fff" else 2 for c in letters]
    width = sum(weights) if sum(weights) < 80 else 16 if max(len(letters), len(beside) - beside.count(" ")) >= 1000 else 8
    found = set()
    for start in range(len(letters)):
        end = next((end for end in range(start, len(letters) + 1) if sum(weights[start:end]) >= width), None)
        found |= {"".join(letters[start:end])} if end else set()
    return found or {""}


def test_jaccard_by_definition() -> None:
    """Of pairs at every likeness in two scripts, of short texts and texts of more than a thousand letters."""
    long = " ".join(random.Random(1).choices([f"{a}{b}" for a in ENGLISH for b in ENGLISH], k=250))
    texts = [*_texts(), long, long.replace("quick", "slow")]
    pairs = [*combinations(range(len(texts)), 2)][::-7]
    all_texts = Texts.of(texts)
    found = jaccard(all_texts.take([i for i, _ in pairs]), all_texts.take([j for _, j in pairs]))
    sets = [(_shingles(texts[i], texts[j]), _shingles(texts[j], texts[i])) for i, j in pairs]
    assert found == pytest.approx([len(one & other) / len(one | other) for one, other in sets])
    assert 0.1 < found[0] < 0.9


def test_near_pairs() -> None:
    """Exactly the pairs whose likeness reaches the threshold, none by an empty signature; the later of each goes."""
    texts = _texts()
    sets = [_shingles(text) for text in texts]
    expected = [(j, i) for i, j in combinations(range(len(texts)), 2) if len(sets[i] & sets[j]) >= NEAR * len(sets[i] | sets[j])]
    found = near_pairs(Texts.of(texts))
    assert sorted(zip(found.rows.tolist(), found.of.tolist(), strict=True)) == sorted(expected)
    assert len(expected) >= 42
    assert [texts[row] for row in removed(found).rows[-3:]] == ["", "?!", "No"]
    with pytest.raises(UsageError, match=r"0\.6 to 1"):
        near_pairs(Texts.of(texts), 0.3)


def test_chunks_and_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes, bands, digests and measures whatever the texts are read with; the same pairs from divided bands."""
    texts = Texts.of([text + "\r\n e\u0301" for text in _texts(count=400)])
    whole, ruled = normalise(texts), [rules.build(spec) for spec in ("words:min=5", "top_ngram", "repeated_lines")]
    own, signed, tried = whole.texts, bands(whole.texts), rules.screen(whole.texts, ruled)
    monkeypatch.setattr(threads, "available", lambda: 3)
    threads.renew()
    assert np.array_equal(normalise(texts).texts.bytes, own.bytes)
    assert np.array_equal(bands(own), signed)
    parts = [texts.part(first, min(first + 37, len(texts))) for first in range(0, len(texts), 37)]
    mended = [normalise(part).texts for part in parts]
    assert np.array_equal(Texts.joined(mended).bytes, own.bytes)
    assert np.array_equal(np.concatenate([bands(part) for part in mended]), signed)
    assert np.array_equal(np.concatenate([digests(part) for part in mended]), digests(own))
    assert np.array_equal(np.concatenate([rules.screen(part, ruled).rule for part in mended]), tried.rule)
    pairs, rows = candidates(signed), np.random.default_rng(0).permutation(len(own))
    assert np.array_equal(candidates(signed[rows], rows), pairs)
    halves = [(column, column % 2 == half) for column in signed.T for half in (0, 1)]
    divided = [candidates(column[chosen][:, None], np.flatnonzero(chosen)) for column, chosen in halves]
    assert np.array_equal(np.unique(np.concatenate(divided), axis=0), pairs)
    assert np.array_equal(near_pairs(own).likeness, verified(own, own, pairs).likeness)


def test_many_of_one() -> None:
    """A thousand texts that are nearly the same cost pairs by the thousand, not by the million; the first alone stays."""
    text = " ".join(ENGLISH * 3)
    texts = Texts.of([f"{text} {number}" for number in range(1000)])
    pairs = near_pairs(texts)
    assert 999 <= len(pairs) <= 1000 * MOST * 3
    gone = removed(pairs)
    assert gone.rows.tolist() == list(range(1, 1000))
    assert not gone.of.any()


def test_no_chains() -> None:
    """A text like one that goes, and like none that stays, stays; of those that stay the most like is named, or the earliest."""
    pairs = Pairs(np.array([1, 2, 3, 3, 4, 4]), np.array([0, 1, 0, 2, 0, 2]), np.array([0.8, 0.9, 0.8, 0.9, 0.7, 0.7]))
    gone = removed(pairs)
    assert (gone.rows.tolist(), gone.of.tolist(), gone.likeness.tolist()) == ([1, 3, 4], [0, 2, 0], [0.8, 0.9, 0.7])


@given(st.lists(st.text(st.sampled_from(CHARACTERS), max_size=12)))
@settings(max_examples=150, deadline=None)
def test_normal_form(texts: list[str]) -> None:
    """By the definition in plain Python; done twice it changes nothing."""
    found = normalise(Texts.of(texts))
    for text, mended, changed in zip(texts, found.texts.strings(), found.changed, strict=True):
        lines = re.sub("\r\n|\r|\u2028", "\n", text).replace("\x00", "").replace("\ufeff", "")
        wanted = unicodedata.normalize("NFC", "\n".join(line.rstrip() for line in lines.split("\n")).rstrip())
        assert mended == wanted
        assert changed == (text != wanted)
    assert not normalise(found.texts).changed.any()


def test_digests_and_leaks() -> None:
    """Equal texts have one digest and the earliest row; a test text is found word for word, nearly, from either side, or not."""
    rows = repeats(digests(Texts.of(["b", "a", "b", "", "a", "b"])))
    assert rows.tolist() == [0, 1, 0, 3, 1, 0]
    texts = _texts(3)[:80]
    found = leaks(
        Texts.of(texts[::2] * 30), Texts.of([*texts[1::2], texts[0], "another text of some length that nobody has read at all"])
    )
    assert sorted(set(found.rows.tolist())) == list(range(41))
    assert sorted(set(found.of.tolist())) == list(range(40 * 30))
    assert set(found.rows[found.exact].tolist()) == {40}


def test_texts() -> None:
    """Rows in any order, lone surrogates replaced, nothing at all; damaged UTF-8 is read to its end and no further."""
    texts = Texts.of(["ä", "", "b\ud800", "漢字"])
    assert texts.take([3, 0, 0]).strings() == ["漢字", "ä", "ä"]
    assert texts.strings([2]) == ["b\ufffd"]
    assert Texts.joined([texts.part(2, 4), Texts.of([]), texts.part(0, 1)]).strings() == ["b\ufffd", "漢字", "ä"]
    for broken in (b"\xe6\xbc", b"\xff\xf0", b"a\x80\xf4\xbf\xbf\xbf"):
        assert bands(Texts.of([broken])).shape == (1, 20)
    none = Texts.of([])
    assert len(normalise(none).texts) == len(bands(none)) == len(near_pairs(none)) == len(leaks(none, texts)) == 0
    assert len(rules.screen(none, [rules.build("words")]).kept) == 0


@pytest.mark.skipif("LOSSWORKS_DATA" not in os.environ, reason="LOSSWORKS_DATA names no folder of real text")
def test_trec() -> None:
    """Of TREC's 500 test questions ten stand in its training file word for word, one but for its capitals; no others are near."""
    parts = []
    for part in ("train", "test"):
        lines = (Path(os.environ["LOSSWORKS_DATA"]) / f"trec/TREC.{part}").read_text("latin-1").split("\n")
        parts.append(Texts.of([line.partition(" ")[2].strip() for line in lines if line.strip()]))
    found = leaks(*parts)
    assert (len(set(found.rows.tolist())), int(found.exact.sum())) == (11, 10)


def test_personal_and_recurring() -> None:
    """What looks personal is counted and masked, what only resembles it is not; lines and openings that recur are told."""
    texts = Texts.of(
        [
            "write to jörg.b@mail.example.org or to x@y, @home",
            "call +49 (0)30 1234-567 or 555-123-4567, not 2019-01-02 or 12345678",
            "4111 1111 1111 1111 but 4111 1111 1111 1112; 192.168.0.1, 300.1.1.1 and v1.2.3.4",
        ]
    )
    found = {kind: counts.tolist() for kind, counts in personal(texts).items()}
    assert found == {"email": [1, 0, 0], "phone": [0, 2, 0], "card": [0, 0, 1], "ip": [0, 0, 1]}
    assert masked(texts.strings()[1]) == "call [phone] or [phone], not 2019-01-02 or 12345678"
    assert masked(texts.strings()[2]).startswith("[card] but 4111 1111 1111 1112; [ip], 300")
    pages = [f"  Subscribe to our newsletter now! \n{n} and\nSubscribe to our newsletter now!" for n in range(6)]
    pages += [f"春眠不覺曉，處處聞啼鳥，{n}" for n in range(5)]
    pages += ["春眠不覺曉，處處聞啼", *["one line of text that stands alone"] * 9]
    lines, openings = recurring_lines(Texts.of(pages), 5), recurring_openings(Texts.of(pages), 5)
    assert [(each.text, each.texts, each.row) for each in lines] == [("Subscribe to our newsletter now!", 6, 0)]
    assert [(each.text, each.texts) for each in openings] == [
        ("one line of text that", 9),
        ("Subscribe to our newsletter now", 6),
        ("春眠不覺曉，處處聞啼鳥", 5),
    ]
