"""A model of language in use: surprisal by token and word in bits and nats, texts drawn, windows."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import lossworks
from lossworks.api import Language, Scored
from lossworks.api.scored import write_scored
from lossworks.core.errors import UsageError

from .language import fitted, neural

TEXT = " the cat  sat,\non é电 zebra "


@pytest.fixture(scope="module")
def chars() -> Language:
    """An n-gram model of characters."""
    return fitted()


def scored(text: str, spans: list[tuple[int, int]], nats: list[float] | None = None) -> Scored:
    """A text in such tokens, spelled as they stand in it."""
    tokens = tuple(text[first:last] or "</s>" for first, last in spans)
    surprisal = np.array(nats if nats is not None else np.arange(1.0, len(spans) + 1))
    return Scored(text, tokens, surprisal, np.array(spans, np.int64).reshape(-1, 2))


@pytest.mark.parametrize("model", ["ngram:order=3", "hmm:states=3"])
@pytest.mark.parametrize("spelled", ["chars", "bytes", "bpe:size=290", "words"])
def test_words(model: str, spelled: str) -> None:
    """With every kind of tokens the words are the text's, each token is of one, and their bits are the text's."""
    (row,) = fitted(model, spelled).score([TEXT])
    words = row.words
    assert [word.text for word in words[:6]] == TEXT.split()
    assert len(words) == 7  # and the end, with the space before it
    assert words[-1].text.strip() == "</s>"
    assert [word.first for word in words] == [0, *(word.last for word in words[:-1])]
    assert words[-1].last == len(row.tokens)
    for word in words:
        assert word.bits == pytest.approx(row.bits[word.first : word.last].sum())
    assert sum(word.nats for word in words) == pytest.approx(-row.logp)
    assert row.bits.sum() == pytest.approx(-row.logp / math.log(2))
    assert sum(len(piece.gap) + len(piece.text) for piece in row.pieces) >= len(TEXT.strip())


def test_characters_are_shown_whole(tmp_path: Path) -> None:
    """Of tokens that are bytes those of one character are one piece: conjuncts, joined emoji, letters from right to left."""
    text = "हिन्दी क्षत्रिय 👨‍👩‍👧 טורקיה 한국"
    model = lossworks.fit([f"{text} {number}" for number in range(60)], task="lm", model="ngram:order=2", tokenizer="bytes")
    row = model.score([text])[0]
    pieces = [piece for piece in row.pieces if piece.text != "</s>"]
    assert "".join(piece.text for piece in pieces) == text
    assert {"क्ष", "👨‍👩‍👧", "ט", "한", "न्दी"} <= {piece.text for piece in pieces}
    assert sum(piece.bits for piece in row.pieces) == pytest.approx(row.bits.sum())
    assert [piece.first for piece in row.pieces] == [0, *(piece.last for piece in row.pieces[:-1])]
    page = write_scored([row], tmp_path / "page.html", name="run").read_text("utf-8")
    assert ">👨‍👩‍👧</span>" in page
    assert ">ט</span>" in page
    told = [token for kind in model.record["result"]["surprising"].values() for one in kind for token, _ in one["tokens"]]
    assert "ט" in told
    assert not any("\\x" in token or "\ufffd" in token for token in told)


def test_white_space_goes_with_the_word_after_it() -> None:
    """By hand: leading spaces, a run of them, the space at the end with the end mark, and nothing else."""
    row = scored(" a  bc ", [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (7, 7)])
    assert [(word.text, word.first, word.last, word.nats) for word in row.words] == [
        ("a", 0, 2, 3.0),
        ("bc", 2, 6, 18.0),
        (" </s>", 6, 8, 15.0),
    ]
    assert scored("", []).words == ()
    assert [word.text for word in scored("  ", [(0, 1), (1, 2)]).words] == ["  "]


def test_tokens_across_words() -> None:
    """Words that one token stands across are one; a character that two tokens share is whole in their word."""
    row = scored("of the cat", [(0, 1), (1, 6), (6, 10)])
    assert [(word.text, word.first, word.last) for word in row.words] == [("of the", 0, 2), ("cat", 2, 3)]
    halves = scored("é a", [(0, 1), (0, 1), (1, 3)])
    assert [(word.text, word.last) for word in halves.words] == [("é", 2), ("a", 3)]


def test_json_has_both_units(chars: Language) -> None:
    """Bits and nats by name, of tokens, words and the whole; places are characters; what is infinite is None."""
    told = chars.score(["the cat"])[0].to_json()
    for each in (told, *told["tokens"], *told["words"]):
        assert each["bits"] == pytest.approx(each["nats"] / math.log(2))
    assert told["tokens"][4]["characters"] == [4, 5]
    assert math.exp(-told["tokens"][4]["nats"]) == pytest.approx(told["tokens"][4]["probability"])
    assert [word["word"] for word in told["words"]] == ["the", "cat", "</s>"]
    assert told["words"][1]["tokens"] == [3, 4, 5, 6]
    impossible = scored("ab", [(0, 1), (1, 2)], [1.0, math.inf]).to_json()
    assert (impossible["bits"], impossible["tokens"][1]["nats"], impossible["tokens"][1]["probability"]) == (None, None, 0.0)


@pytest.mark.parametrize("make", [fitted, lambda: fitted("hmm:states=3", "bytes"), neural])
def test_drawing_is_a_function_of_seed_prompt_and_sample(make: Callable[[], Language]) -> None:
    """A text is the same alone, among other prompts, among more samples; other prompts and samples draw others."""
    model = make()
    alone = model.generate("the ", max_new_tokens=30, samples=2, seed=3)
    among = model.generate(["a", "the ", "the "], max_new_tokens=30, samples=3, seed=3)
    assert among[1][:2] == alone
    assert among[1] == among[2]
    assert len({*among[1]}) == 3
    assert model.generate("the ", max_new_tokens=30, seed=4) != alone[:1]
    assert all(text.startswith("the ") for text in alone)


def test_stream(chars: Language) -> None:
    """The pieces of each text, its prompt the first, are the text; every text is told of, in order."""
    told: list[tuple[str, int, int]] = []
    drawn = chars.generate(["the é", ""], max_new_tokens=20, samples=2, stream=lambda *piece: told.append(piece))
    places = [(prompt, sample) for _, prompt, sample in told]
    assert places == sorted(places)
    assert told[0] == ("the é", 0, 0)
    for prompt, texts in enumerate(drawn):
        for sample, text in enumerate(texts):
            assert "".join(piece for piece, *place in told if place == [prompt, sample]) == text


def test_stop_and_min_p(chars: Language) -> None:
    """What is drawn ends before a stop text; min-p of 1 leaves only the most probable token."""
    whole = chars.generate("the ", max_new_tokens=60, temperature=0.0)[0]
    assert "mat" in whole
    assert chars.generate("the ", max_new_tokens=60, temperature=0.0, stop="mat") == [whole.partition("mat")[0]]
    assert chars.generate("the ", max_new_tokens=60, temperature=0.0, stop=["xyz", " on", "mat"]) == [whole.partition(" on")[0]]
    assert chars.generate("the ", max_new_tokens=60, min_p=1.0, temperature=1.5) == [whole]
    for wrong in ({"stop": ""}, {"min_p": 2.0}, {"max_new_tokens": 0}, {"samples": 0}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            chars.generate("the ", **wrong)  # type: ignore[call-overload]


def test_beyond_the_context(chars: Language) -> None:
    """How much longer than the context a text is, its start counted; others read texts of any length."""
    model = neural(context=16)
    assert [model.beyond("a" * length) for length in (0, 15, 16, 40)] == [0, 0, 1, 25]
    assert chars.beyond("a" * 1000) == 0
    assert len(model.generate("the cat sat on a mat", max_new_tokens=40)[0]) > 20


def test_stride() -> None:
    """With windows one token apart every token is predicted from a full context; generation reads the same."""
    model = neural(context=8, ends=False)
    text = "the cat 12 sat on a mat, barked"
    ids = model.trained.encode([text]).ids.tolist()
    finest = model.sliding(1)
    seen = finest.score([text])[0].nats
    for place in range(len(ids)):
        before = [1, *ids[:place]][-8:]  # the mark of the start stands first
        state = model.model.start() if before[0] == 1 else model.model._after(model.model.network.start(), (before[0],), ())
        for token in before[1:]:
            state = model.model.advance(state, token)
        assert seen[place] == pytest.approx(-model.model.next(state)[ids[place]], abs=1e-5)
    coarse = model.score([text])[0].nats
    assert coarse[:8] == pytest.approx(seen[:8], abs=1e-5)
    assert abs(coarse[8:] - seen[8:]).max() > 1e-3
    assert model.sliding(4).score([text])[0].nats == pytest.approx(coarse, abs=1e-6)
    disjoint = model.sliding(8)
    state = disjoint.model.read(ids[:16])
    assert disjoint.score([text])[0].nats[16] == pytest.approx(-disjoint.model.next(state)[ids[16]], abs=1e-5)


def test_stride_refused(chars: Language) -> None:
    """A model without a context has none to slide, and a window may not leap."""
    with pytest.raises(UsageError, match=r"ngram:order=3: it has no context .* --stride"):
        chars.sliding(4)
    for stride in (0, 17):
        with pytest.raises(UsageError, match="wanted 1 to the model's context, 16"):
            neural(context=16).sliding(stride)
