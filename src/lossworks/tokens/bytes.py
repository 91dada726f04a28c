"""Bytes: any text at all in 256 tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .base import END, START, Encoded, Progress, Tokenizer, TokenizerSpec, tokenizers, write
from .byte_names import BYTE_OF
from .characters import bytes_of
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    import tokenizers as library

_FIRST = 2  # the token of byte 0, after the marks of start and end


@tokenizers.add("bytes", source="Yergeau 2003, RFC 3629 (UTF-8)")
@dataclass(frozen=True, kw_only=True)
class BytesSpec(TokenizerSpec):
    """Every byte of the text in UTF-8 is a token: nothing to learn, nothing unknown, lossless."""

    def learn(
        self, blocks: Iterable[Sequence[str]], progress: Progress = lambda texts: None, languages: Sequence[str] | None = None
    ) -> Bytes:
        return Bytes()

    def restore(self, saved: dict[str, Any]) -> Bytes:
        return Bytes()


class Bytes(Tokenizer):
    """Byte b is token b + 2."""

    lossless = True

    def __init__(self) -> None:
        self.spec = BytesSpec()
        self.vocabulary = Vocabulary(_FIRST + 256, unknown=None, start=0, end=1)

    def encode(self, texts: Sequence[str]) -> Encoded:
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        offsets = np.zeros(len(texts) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)), out=offsets[1:])
        return np.frombuffer(b"".join(encoded), np.uint8) + np.uint16(_FIRST), offsets

    def decode(self, ids: Sequence[int] | NDArray[Any]) -> str:
        tokens = np.asarray(ids, np.int64)
        return (tokens[tokens >= _FIRST] - _FIRST).astype(np.uint8).tobytes().decode("utf-8", "replace")

    def spans(self, text: str) -> NDArray[np.int64]:
        owner = bytes_of(text)
        return np.stack([owner, owner + 1], 1)

    def spelling(self, token: int) -> str:
        if token < _FIRST:
            return (START, END)[token]
        byte = token - _FIRST
        return chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}"

    def save(self, path: Path) -> None:
        write(path, self.spec)

    def library(self) -> library.Tokenizer:
        from tokenizers import Tokenizer as Library
        from tokenizers import decoders, models, pre_tokenizers

        numbers = {START: 0, END: 1, **{name: byte + _FIRST for name, byte in BYTE_OF.items()}}
        made = Library(models.BPE(numbers, []))
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        made.decoder = decoders.ByteLevel()
        made.add_special_tokens([START, END])
        made.encode_special_tokens = True
        return made
