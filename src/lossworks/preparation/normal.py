"""Texts in one spelling: line endings, Unicode's composed form (NFC), no control characters, no white space at the ends of lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .texts import Texts


@dataclass(frozen=True, slots=True)
class Normalised:
    """The texts, rewritten where need be.

    counts: how many texts each step changed: "line_endings", "controls", "trailing_space", "nfc".
    changed: bool [N], the texts that any step changed.
    """

    texts: Texts
    counts: dict[str, int]
    changed: NDArray[np.bool_]


def normalise(texts: Texts) -> Normalised:
    """Rewrite what says nothing: every line ends in \\n, control characters but tab and newline and the byte-order mark are gone, so
    is white space at the ends of lines and of the text, and characters are composed (NFC). Done twice it changes nothing more.
    """
    raise NotImplementedError
