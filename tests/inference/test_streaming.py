"""Text settled while it is drawn: whole characters, the joints of words, stop texts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lossworks import tokens
from lossworks.core.errors import UsageError
from lossworks.inference import check_stop, pieces
from lossworks.tokens.graphemes import CLUSTER, is_open, last_cluster

TEXT = "the cat  sat é 电池 🙂🙂 on\n the mat"
LEARNED = [["the cat sat é 电池 on the mat", TEXT] * 3]
SPECS = ["words", "chars", "bytes", "bpe:size=280", "bpe:size=320"]


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("given", [0, 1, 3])
def test_whole_text(spec: str, given: int) -> None:
    """The pieces are what decoding all at once adds to what was given, and none holds a part of a character."""
    learned = tokens.build(spec).learn(LEARNED)
    ids = learned.encode([TEXT])[0].tolist()
    found = list(pieces(learned, ids[:given], ids[given:]))
    assert learned.decode(ids[:given]) + "".join(found) == learned.decode(ids)
    assert all(found)
    assert "\ufffd" not in "".join(found)


def test_as_soon_as_it_is_whole() -> None:
    """A character comes with the first byte of the next, which may have joined it, and not before its own last; the last one at
    the end.
    """
    learned = tokens.build("bytes").learn([])
    taken = 0

    def one_by_one() -> Iterator[int]:
        nonlocal taken
        for token in learned.encode(["a🙂b"])[0].tolist():
            taken += 1
            yield token

    assert [(piece, taken) for piece in pieces(learned, [], one_by_one())] == [("a", 5), ("🙂", 6), ("b", 6)]


def test_what_is_no_text() -> None:
    """Bytes that are no UTF-8 come as the mark that decoding gives, and nothing is lost behind them; half a character at the end
    is left out, an unknown one is not.
    """
    learned = tokens.build("bytes").learn([])
    data = b"a\xe7\x94b\xff\xff\xff\xff\xff\xff\xe7\x94\xb5c\xf0\x9f"
    found = list(pieces(learned, [], [byte + 2 for byte in data]))
    assert "".join(found) == data.decode("utf-8", "replace").removesuffix("\ufffd")
    assert "电" in "".join(found)
    known = tokens.build("chars").learn([["ab"]])
    assert "".join(pieces(known, [], known.encode(["abzz"])[0].tolist())) == "ab\ufffd\ufffd"


@pytest.mark.parametrize("spec", SPECS[1:])
@pytest.mark.parametrize(
    ("stop", "left"),
    [
        (["sat"], "the cat  "),
        (["t  s"], "the ca"),
        (["池 🙂"], "the cat  sat é 电"),
        (["zzz", " o", "🙂🙂 "], "the cat  sat é 电池 "),
    ],
)
def test_stop(spec: str, stop: list[str], left: str) -> None:
    """The text ends before the first stop text, over however many tokens that is spread."""
    learned = tokens.build(spec).learn(LEARNED)
    ids = learned.encode([TEXT])[0].tolist()
    assert "".join(pieces(learned, [], ids, stop)) == left


def test_stop_among_words() -> None:
    """A stop text may stand across words, and their space."""
    learned = tokens.build("words").learn(LEARNED)
    assert "".join(pieces(learned, [], learned.encode([TEXT])[0].tolist(), ["t sat"])) == "the ca"


def test_stop_is_held_back() -> None:
    """What may yet become a stop text is not given away, and is given once it cannot; no token too many is taken."""
    learned = tokens.build("chars").learn([["abcd"]])
    taken = 0

    def one_by_one(text: str) -> Iterator[int]:
        nonlocal taken
        for token in learned.encode([text])[0].tolist():
            taken += 1
            yield token

    assert list(pieces(learned, [], one_by_one("abababcd"), ["abc"])) == ["a", "ba", "b"]
    assert taken == 7
    assert list(pieces(learned, [], one_by_one("dab"), ["abc"])) == ["da", "b"]


def test_stop_in_the_prompt() -> None:
    """What was given may hold a stop text, or its beginning: only what is drawn ends at one."""
    learned = tokens.build("chars").learn([["abcd"]])
    given, drawn = (learned.encode([text])[0].tolist() for text in ("abca", "bcd"))
    assert "".join(pieces(learned, given, drawn, ["abc"])) == "bcd"


def test_refused() -> None:
    """An empty stop text stands everywhere."""
    with pytest.raises(UsageError, match="not empty"):
        check_stop(["a", ""])


JOINED = ["👩‍👩‍👧 ok", "क्षत्रिय", "한국", "e\u0301e\u0323\u0301", "🇩🇪🇫🇷", "a\r\nb", "தமிழ்"]


@pytest.mark.parametrize("text", JOINED)
def test_clusters_whole(text: str) -> None:
    """Pieces are whole clusters, also where the text is cut after any number of tokens; one that ends by itself is all given."""
    learned = tokens.build("bytes").learn([])
    ids = learned.encode([text])[0].tolist()
    whole = [text[: found.end()] for found in CLUSTER.finditer(text)]
    found = list(pieces(learned, [], ids))
    assert "".join(found) == text
    assert {"".join(found[:count]) for count in range(1, len(found) + 1)} <= set(whole)
    for most in range(1, len(ids)):
        cut = "".join(pieces(learned, [], ids, most=most))
        assert text.startswith(cut)
        rest = cut[last_cluster(cut) :]
        assert not rest or not is_open(rest)
    assert "".join(pieces(learned, [], learned.encode(["👩\u200d"])[0].tolist(), most=7)) == ""
    assert "".join(pieces(learned, [], learned.encode(["👩\u200d"])[0].tolist(), most=8)) == "👩\u200d"
