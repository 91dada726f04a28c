"""Sizes as people write them."""

from __future__ import annotations

import re

from .errors import UsageError

_FACTORS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def size(text: str | int) -> int:
    """The bytes that "2G", "500M" or "1.5 GB" says; a bare number is bytes. K, M, G and T are powers of 1024.

    Raises:
        UsageError: it says no size, or none above 0.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", str(text), re.IGNORECASE)
    number = int(float(found[1]) * _FACTORS[found[2].upper()]) if found else 0
    if number < 1:
        raise UsageError(f"got {text!r} as a size; wanted bytes, such as 2G or 500M.")
    return number
