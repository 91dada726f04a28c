"""Text as it is drawn: settled character by character as a reader counts them, and ended before a stop text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from ..core.errors import UsageError
from ..tokens import Tokenizer
from ..tokens.graphemes import is_open, last_cluster

_BROKEN = "\ufffd"  # how ``decode`` shows a part of a character
_LONGEST = 4  # tokens that a character can be spread over: its bytes in UTF-8


def pieces(
    tokenizer: Tokenizer, begun: Sequence[int], tokens: Iterable[int], stop: Sequence[str] = (), most: int | None = None
) -> Iterator[str]:
    """The text of ``tokens``, at most the first ``most`` of them, which follow those of ``begun``, piece by piece.

    None is empty, and none ends within what a reader takes for one character (an extended grapheme cluster): the last one waits
    until the next begins. Where ``most`` cuts the text off within one, it is left out.

    It ends before the first place where one of the texts ``stop`` stands, on however many tokens that is spread. No more tokens
    are taken than that takes.
    """
    held, drawn = "", 0

    def some() -> Iterator[int]:
        nonlocal drawn
        for token in islice(tokens, most):
            drawn += 1
            yield token

    for piece in _ended(tokenizer, begun, some(), stop):
        held += piece
        if sure := last_cluster(held):
            yield held[:sure]
            held = held[sure:]
    if held and not (drawn == most and is_open(held)):
        yield held


def _ended(tokenizer: Tokenizer, begun: Sequence[int], tokens: Iterable[int], stop: Sequence[str]) -> Iterator[str]:
    """The text up to a stop text, in pieces that end with whole characters of Unicode."""
    longest = max(map(len, stop), default=0)
    held = ""  # what may be the beginning of a stop text
    for piece in _settled(tokenizer, begun, tokens):
        held += piece
        if places := [place for each in stop if (place := held.find(each)) >= 0]:
            held = held[: min(places)]
            break
        sure = len(held) - max((n for n in range(1, min(longest, len(held) + 1)) if _begins(stop, held[-n:])), default=0)
        if sure:
            yield held[:sure]
            held = held[sure:]
    if held:
        yield held


def check_stop(stop: Sequence[str]) -> None:
    """Raise UsageError where a stop text is empty: it stands everywhere."""
    if not all(stop):
        raise UsageError(f"stop is {list(stop)!r}; wanted texts that are not empty.")


def _begins(stop: Sequence[str], end: str) -> bool:
    """Whether a stop text, longer than ``end``, begins with it."""
    return any(len(each) > len(end) and each.startswith(end) for each in stop)


def _settled(tokenizer: Tokenizer, begun: Sequence[int], tokens: Iterable[int]) -> Iterator[str]:
    """What each token adds to the text, as soon as its last character is whole.

    Tokens are decoded with those before them back to a whole character: what joins two (a space, or nothing) is known only then.
    A character that is never completed is left out.
    """
    ids, shown = list(begun), len(tokenizer.decode(begun))
    known = len(ids)  # tokens whose characters are whole and were given
    text = ""
    for token in tokens:
        ids.append(token)
        text = tokenizer.decode(ids)
        whole = len(text.rstrip(_BROKEN)) if len(ids) - known <= _LONGEST else len(text) - text.endswith(_BROKEN)
        if whole > shown:
            yield text[shown:whole]
            shown = whole
        if whole == len(text):
            ids = ids[known:]
            known, shown, text = len(ids), len(tokenizer.decode(ids)), ""
    if len(text) > shown and ids[-1] == tokenizer.vocabulary.unknown:  # which some decode to the same sign
        yield text[shown:]
