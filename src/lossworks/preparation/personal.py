"""What looks like personal data, counted and never shown: e-mail addresses, telephone and card numbers, IP addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .texts import Texts

KINDS = ("email", "phone", "card", "ip")
_AROUND = 64  # bytes looked at before and behind an @
_NAME, _HOST = re.compile(rb"[\w.%+-]+\Z", re.ASCII), re.compile(rb"(?:[\w-]+\.)+[A-Za-z]{2,}")
_NUMBER = re.compile(rb"(?<![\w.])(?:\+|\()?\d[\d ().\-/]{5,26}\d(?!\w)")
_IP = re.compile(rb"\d{1,3}(?:\.\d{1,3}){3}")
_CARD = re.compile(rb"[2-6]\d{3}(?:[ -]?\d{4}){2}[ -]?\d{1,7}|3[47]\d{2}[ -]?\d{6}[ -]?\d{5}")
_PHONE = re.compile(rb"\+\d[\d ().\-/]{7,}\d|\(\d{2,5}\) ?\d[\d .\-/]{4,}\d|\d{3}[-.]\d{3}[-.]\d{4}|0\d{1,4}[ /-]\d[\d /-]{4,}\d")


def personal(texts: Texts) -> dict[str, NDArray[np.int64]]:
    """How many strings in each text look like each of ``KINDS`` [N].

    A card's number passes Luhn's test and begins with 2 to 6; a telephone number begins with +, with 0, with an area code in
    brackets, or is in groups as in North America, and has 8 to 15 digits; IP addresses are of version 4. A look is no proof.
    """
    found = {kind: np.zeros(len(texts), np.int64) for kind in KINDS}
    for kind, row, _, _ in _places(texts):
        found[kind][row] += 1
    return found


def masked(text: str) -> str:
    """The text with "[email]" and the like in the place of what looks personal."""
    raw = text.encode("utf-8", "replace")
    for kind, _, begin, end in sorted(_places(Texts.of([raw])), key=lambda place: -place[2]):
        raw = raw[:begin] + f"[{kind}]".encode() + raw[end:]
    return raw.decode()


def _places(texts: Texts) -> Iterator[tuple[str, int, int, int]]:
    """Of everything that looks personal the kind, the text, and its first byte and end in the buffer."""
    whole = texts.bytes.data
    for at in np.flatnonzero(texts.bytes == ord("@")).tolist():
        row = int(np.searchsorted(texts.offsets, at, side="right")) - 1
        begin, end = max(int(texts.offsets[row]), at - _AROUND), min(int(texts.offsets[row + 1]), at + _AROUND)
        name, host = _NAME.search(bytes(whole[begin:at])), _HOST.match(bytes(whole[at + 1 : end]))
        if name and host:
            yield "email", row, begin + name.start(), at + 1 + host.end()
    for row, begin, number in _numbers(texts):
        digits = [byte - 48 for byte in number if 48 <= byte <= 57]
        kind = ""
        if _IP.fullmatch(number):
            kind = "ip" if all(int(part) < 256 for part in number.split(b".")) else ""
        elif _CARD.fullmatch(number) and 13 <= len(digits) <= 19 and luhn(digits):
            kind = "card"
        elif 8 <= len(digits) <= 15 and _PHONE.fullmatch(number):
            kind = "phone"
        if kind:
            yield kind, row, begin, begin + len(number)


def _numbers(texts: Texts) -> Iterator[tuple[int, int, bytes]]:
    """Runs of digits with what stands between them in numbers: the text, where it begins, itself."""
    digits = (texts.bytes >= 48) & (texts.bytes <= 57)
    counts = np.concatenate([[0], np.cumsum(digits, dtype=np.int64)])[texts.offsets]
    for row in np.flatnonzero(np.diff(counts) >= 4).tolist():  # an address has four digits or more, all others have more
        begin = int(texts.offsets[row])
        for match in _NUMBER.finditer(texts.bytes[begin : texts.offsets[row + 1]].tobytes()):
            yield row, begin + match.start(), match[0]


def luhn(digits: list[int]) -> bool:
    """Whether the last digit checks the others, as on cards (ISO/IEC 7812-1, annex B)."""
    twice = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(twice)) % 10 == 0
