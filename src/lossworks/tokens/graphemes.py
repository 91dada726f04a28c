"""What a reader takes for one character, and for the same text.

The first are Unicode's extended grapheme clusters, Indic conjuncts, joined emoji and jamo among them (UAX 29). The second may be
spelled in several ways, of which one is the composed form (NFC, UAX 15).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import regex

CLUSTER = regex.compile(r"\X")
_LOOK = 64  # characters beyond a cut, to see whether a cluster ends there
# What waits for more: a joiner, the sign that joins consonants of Indic scripts, an initial of Hangul without a vowel.
_OPEN = regex.compile(r"(?:\u200d|\p{InCB=Linker}|\p{GCB=L}|\p{GCB=Prepend})\Z")
_FLAG_HALF = regex.compile(r"\p{GCB=RI}")


def last_cluster(text: str) -> int:
    """Where the last cluster of a text begins: what stands before it is whole, whatever follows."""
    at = 0
    for found in CLUSTER.finditer(text):
        at = found.start()
    return at


def whole(text: str, spans: Iterable[Sequence[int]]) -> list[tuple[int, int]]:
    """Runs of tokens that stand for whole clusters, as short as can be: the first of each, and the one after its last.

    Args:
        text: what the tokens stand for.
        spans: of each token, its characters: the first, and the one after the last. Tokens of bytes share characters.
    """
    bounds = {0, *(found.end() for found in CLUSTER.finditer(text))}
    runs, first, end, number = [], 0, 0, -1
    for number, (begin, last) in enumerate(spans):
        if number and begin >= end and (begin > end or end in bounds):
            runs.append((first, number))
            first = number
        end = max(end, last)
    return [*runs, (first, number + 1)] if number >= 0 else []


def shortened(text: str, most: int) -> str:
    """The text, or its first whole clusters and an ellipsis, ``most`` characters in all."""
    if len(text) <= most:
        return text
    ends = (found.end() for found in CLUSTER.finditer(text[: most + _LOOK]))
    return text[: max((end for end in ends if end < most), default=most - 1)] + "…"


def isolated(name: str) -> str:
    """A name as it may stand in a sentence: one from right to left is isolated (UAX 9), else it would take what follows, numbers
    and further names, to its other side.
    """
    turned = any(unicodedata.bidirectional(character) in ("R", "AL") for character in name)
    return f"\u2068{name}\u2069" if turned else name


def is_open(cluster: str) -> bool:
    """Whether a cluster ends where one cannot end, or seldom does: within a conjunct, a joined emoji, a flag or a syllable."""
    return bool(_OPEN.search(cluster) or _FLAG_HALF.fullmatch(cluster))


def composed(texts: Sequence[str]) -> tuple[Sequence[str], int]:
    """The texts in the composed form, and how many were not; the very same list where all were, which costs a look at each."""
    odd = [row for row, text in enumerate(texts) if not unicodedata.is_normalized("NFC", text)]
    if not odd:
        return texts, 0
    made = list(texts)
    for row in odd:
        made[row] = unicodedata.normalize("NFC", made[row])
    return made, len(odd)


def composed_note(changed: int, texts: int, by: Mapping[str, int] | None = None, named: int = 4) -> tuple[str, ...]:
    """A note on how many of the texts were ``composed``, and where it is known ``by`` language; none where all were before."""
    if not changed:
        return ()
    some = sorted((name for name in by or {} if (by or {})[name]), key=lambda name: -(by or {})[name])
    told = ", ".join(f"{(by or {})[name]:,} of {name}" for name in some[:named])
    more = f" and some of {len(some) - named} other languages" if len(some) > named else ""
    return (f"NFC: {changed:,} of {texts:,} texts changed{': ' if told else ''}{told}{more}",)
