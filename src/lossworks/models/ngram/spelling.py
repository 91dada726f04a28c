"""How words stand in an ARPA file, where spaces part them: spaces and control characters as their pictures.

The space is ␠ (U+2420), a line feed ␊, and so on (U+2400 to U+2421). A word that holds such a picture itself, or is empty, or is
spelled like a special token (``<s>``) although it is none, has ␦ (U+2426) before what is then meant literally. Other words, in
other programs' files too, are spelled as they are.
"""

from __future__ import annotations

import re

SPECIALS = ("<unk>", "<s>", "</s>")
_ESCAPE = "\u2426"
_PICTURES = {code: 0x2400 + code for code in range(0x21)} | {0x7F: 0x2421}
_UNSAFE = re.compile("[\u2400-\u2421\u2426]")
_READ = re.compile("\u2426(.?)|([\u2400-\u2421])", re.DOTALL)
_MEANT = {chr(picture): chr(code) for code, picture in _PICTURES.items()}


def encode(word: str) -> bytes:
    """A word, which is no special token, as it stands in a file."""
    text = _UNSAFE.sub(lambda found: _ESCAPE + found[0], word).translate(_PICTURES)
    return (_ESCAPE + text if not word or word.lower() in SPECIALS else text).encode("utf-8", "surrogatepass")


def decode(raw: bytes) -> str:
    """The word that stands so in a file.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
    """
    text = raw.decode("utf-8", "surrogatepass")
    return _READ.sub(lambda found: _MEANT[found[2]] if found[2] else found[1], text)
