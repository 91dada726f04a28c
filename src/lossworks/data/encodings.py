"""Bytes in any encoding → blocks of whole lines in UTF-8, with the line they begin at."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from ..core.errors import DataError
from .limits import check_line

BYTE_ORDER_MARKS = {  # UTF-32 before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


SAMPLE = 1 << 16
"""Where so many bytes hold no newline, but carriage returns, these end the lines, as on old Macs."""

PROBE = "a..b,\n" * 20


def is_text_encoding(name: str) -> bool:
    """Whether files are read in it bit by bit: not so the codecs between bytes, nor punycode and idna, which are for names."""
    try:
        decoder = codecs.getincrementaldecoder(name)()
        return "".join(decoder.decode(bytes([byte])) for byte in PROBE.encode(name)) == PROBE
    except (LookupError, ValueError, TypeError):
        return False


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines as they stand in the file ``name``; ``line`` is the number of the first."""

    name: str
    line: int
    raw: bytes
    newlines: int

    def text(self) -> str:
        """The block decoded.

        Raises:
            DataError: it is not UTF-8; names the line and the byte.
        """
        try:
            return self.raw.decode()
        except UnicodeDecodeError as error:
            raise undecodable(self.name, self.line + self.raw.count(b"\n", 0, error.start), error) from None


def undecodable(name: str, line: int, error: UnicodeDecodeError, encoding: str = "utf-8") -> DataError:
    """The one message for a byte that the encoding does not know."""
    what = f"{name}, line {line}: byte 0x{error.object[error.start]:02X} is not {encoding.upper()}"
    if encoding == "utf-8" and b"\0" in error.object:
        return DataError(f"{what}, and NUL bytes stand near it: this is no text, or text in UTF-16 (--encoding utf-16-le).")
    other = "cp1252" if encoding.startswith("utf") else "utf-8"
    return DataError(f"{what}. If the text is in another encoding, name it, for example --encoding {other}.")


def blocks(chunks: Iterator[bytes], encoding: str, name: str) -> Iterator[Block]:
    """Chunks of a file as blocks of whole lines, in UTF-8 whatever the file's encoding is; old Macs' lines end in newlines.

    Raises:
        DataError: bytes are not in the encoding, or a line is longer than ``limits`` allow.
    """
    line, held = 1, 0
    tail: list[bytes] = []  # a list, or a line of many chunks would be copied once per chunk
    for chunk in _with_newlines(_utf8(chunks, codecs.lookup(encoding).name, name)):
        cut = chunk.rfind(b"\n") + 1
        check_line(held + (chunk.find(b"\n") if cut else len(chunk)), f"{name}, line {line}")
        if cut:
            raw = b"".join([*tail, chunk[:cut]])
            newlines = raw.count(b"\n")
            yield Block(name, line, raw, newlines)
            line += newlines
            tail, held = [], 0
        tail.append(chunk[cut:])
        held += len(chunk) - cut
    if rest := b"".join(tail):
        yield Block(name, line, rest, 0)


def _utf8(chunks: Iterator[bytes], encoding: str, name: str) -> Iterator[bytes]:
    first = next(chunks, b"")
    if encoding in ("utf-8", "utf-8-sig"):
        for mark, other in BYTE_ORDER_MARKS.items():
            if first.startswith(mark):
                raise DataError(f"{name} begins like {other.upper()}, with its byte-order mark. Read it with --encoding {other}.")
        yield first.removeprefix(codecs.BOM_UTF8)
        yield from chunks
        return
    marks = tuple(mark for mark, other in BYTE_ORDER_MARKS.items() if other == encoding)
    if first and marks and not first.startswith(marks):
        raise DataError(
            f"{name} does not begin with the byte-order mark of {encoding.upper()}, so name the order too: "
            f"--encoding {encoding}-le, or {encoding}-be."
        )
    decoder, line = codecs.getincrementaldecoder(encoding)(), 1
    try:
        for chunk in chain([first], chunks):
            text = decoder.decode(chunk)
            yield text.encode()
            line += text.count("\n")
        yield decoder.decode(b"", True).encode()
    except UnicodeEncodeError as error:
        what = f"a lone surrogate, U+{ord(error.object[error.start]):04X}"
        place = f"{name}, line {line + error.object.count(chr(10), 0, error.start)}"
        raise DataError(f"{place}: {what}. Is the text really in {encoding.upper()}?") from None
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode(error.encoding, "ignore")
        raise undecodable(name, line + before.count("\n"), error, encoding) from None


def _with_newlines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    start: list[bytes] = []
    for chunk in chunks:
        start.append(chunk)
        if b"\n" in chunk or sum(map(len, start)) > SAMPLE:
            break
    if b"\r" in b"".join(start) and b"\n" not in b"".join(start):
        yield from (chunk.replace(b"\r", b"\n") for chunk in chain(start, chunks))
    else:
        yield from start
        yield from chunks
