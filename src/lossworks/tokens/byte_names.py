"""The characters that name bytes in a byte-level vocabulary, as GPT-2 has them (Radford et al. 2019)."""

from __future__ import annotations

_BYTES = 256
_PRINTED = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
BYTE_OF = {chr(byte): byte for byte in _PRINTED} | {
    chr(_BYTES + place): byte for place, byte in enumerate(byte for byte in range(_BYTES) if byte not in _PRINTED)
}
"""The bytes by the characters that name them in a byte-level vocabulary."""
NAME_OF = tuple(sorted(BYTE_OF, key=BYTE_OF.__getitem__))
"""And the character that names each byte."""
