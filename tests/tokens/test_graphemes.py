"""Texts cut short at whole clusters, and names that keep to their side of a sentence."""

from __future__ import annotations

from lossworks.tokens.graphemes import CLUSTER, isolated, shortened

FAMILY = "👨‍👩‍👧‍👦"


def test_shortened() -> None:
    """No cluster is cut: not a joined emoji, a conjunct, a letter with its marks, a flag; plain text is cut where asked."""
    assert shortened("plain", 5) == "plain"
    assert shortened("plain text", 6) == "plain…"
    for text in (f"ab{FAMILY}cd", "abक्ष्णी cd", "abe\u0301\u0302 cd", "ab🇹🇷🇩🇪cd", "abที่นี่cd"):
        clusters = CLUSTER.findall(text)
        for most in range(3, len(text)):
            cut = shortened(text, most)
            assert len(cut) <= most
            assert cut.endswith("…")
            whole = CLUSTER.findall(cut[:-1])
            assert whole == clusters[: len(whole)]
            assert len(cut[:-1] + clusters[len(whole)]) >= most  # no more would go in
    assert shortened(FAMILY * 2, 4) == FAMILY[:3] + "…"  # where not one goes in, it is cut after all


def test_isolated() -> None:
    """Only what is from right to left is put apart, so that names of other scripts stay as they are."""
    assert [isolated(name) for name in ("deu", "ไทย", "हिन्दी", "中文", "1", "")] == ["deu", "ไทย", "हिन्दी", "中文", "1", ""]
    assert [isolated(name) for name in ("עברית", "x العربية")] == ["\u2068עברית\u2069", "\u2068x العربية\u2069"]
