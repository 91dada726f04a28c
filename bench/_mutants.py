"""Valid files with something wrong: bits, lengths, numbers, types, and that inside what is packed; a function of its draws."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import math
import random
import re
import struct
import warnings
import zipfile
from collections.abc import Callable
from typing import Any

import zstandard

NUMBERS = (
    *("-1", "0", "1e999", "-1e400", "NaN", "nan", "Infinity", "-inf", "0.5", "1e-320", "x", "0x10", "١٢", "", "1" + "0" * 400),
    *("9223372036854775808", "-9223372036854775809", "4294967296", "2147483647", "99999999"),
)
PIECES = (
    *(b"\0 \r \n \xef\xbb\xbf \xff\xfe \xff \xc3 \xed\xa0\x80 \" ' , \t { [ } ] \\ \\u0000 \\ud800 null NaN".split(b" ")),
    *(b"\xe2\x80\xa8 __label__ %s <s> ../ \x1b[2J".split(b" ")),
    *(b"[" * 3000, b"a" * 5000, b"\n" * 2000, b" " * 500, b"\r\n"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**70), 10**400, 0.5, 1e308, math.nan, math.inf),
    *("", "x", "\0", "\ud800", "é" * 300),
    *([], {}, [[]], [None], {"": None}, ["x"] * 50, [1, 2, 3], {"a": {"b": []}}),
)
Draw = random.Random
Change = Callable[[bytes, Draw], bytes]


def mutant(seed: bytes, draw: Draw) -> bytes:
    """``seed`` with one to three changes."""
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        seed = _changed(seed, draw)
    return seed


def _changed(data: bytes, draw: Draw) -> bytes:
    """One change, of what the bytes are most of the time, else of the bytes."""
    inner = next((change for fits, change in _KINDS if fits(data)), None)
    if inner is not None and draw.random() < 0.75:
        try:
            return inner(data, draw)
        except Exception:  # noqa: BLE001  # it was damaged before, and is not of that kind any more
            pass
    return draw.choice((_flipped, _flipped, _cut, _without, _doubled, _moved, _with_piece, _with_field, _with_number))(data, draw)


def _span(data: bytes, draw: Draw) -> tuple[int, int]:
    first = draw.randint(0, len(data))
    return first, min(len(data), first + int(2 ** draw.uniform(0, 12)))


def _flipped(data: bytes, draw: Draw) -> bytes:
    made = bytearray(data)
    for _ in range(draw.choice((1, 1, 8)) if data else 0):
        made[draw.randrange(len(made))] ^= draw.choice((1, 2, 4, 8, 16, 32, 64, 128, 255))
    return bytes(made)


def _cut(data: bytes, draw: Draw) -> bytes:
    return data[: draw.choice((0, 1, 7, 8, draw.randint(0, len(data)), len(data) - 1))]


def _without(data: bytes, draw: Draw) -> bytes:
    first, end = _span(data, draw)
    return data[:first] + data[end:]


def _doubled(data: bytes, draw: Draw) -> bytes:
    first, end = _span(data, draw)
    return data[:end] + data[first:end] * draw.choice((1, 1, 50)) + data[end:]


def _moved(data: bytes, draw: Draw) -> bytes:
    first, end = _span(data, draw)
    at = draw.randint(0, len(data))
    return data[:at] + data[first:end] + data[at:]


def _with_piece(data: bytes, draw: Draw) -> bytes:
    at = draw.choice((0, len(data), draw.randint(0, len(data))))
    return data[:at] + draw.choice(PIECES) + data[at + draw.choice((0, 0, 1)) :]


def _with_field(data: bytes, draw: Draw) -> bytes:
    """A number of 4 or 8 bytes, as binary formats have them."""
    size = draw.choice((4, 8))
    at = draw.randint(0, max(0, len(data) - size))
    return (
        data[:at] + draw.choice((b"\xff" * 8, b"\xff" * 7 + b"\x7f", b"\0" * 8, b"\0\0\xc0\x7f" * 2))[-size:] + data[at + size :]
    )


def _with_number(data: bytes, draw: Draw) -> bytes:
    found = list(re.finditer(rb"-?\d+(\.\d+)?([eE][-+]?\d+)?", data[: 1 << 20]))
    if not found:
        return _flipped(data, draw)
    at = draw.choice(found)
    return data[: at.start()] + draw.choice(NUMBERS).encode() + data[at.end() :]


def _of_json(data: bytes, draw: Draw) -> bytes:
    return _other_value(json.loads(data), draw)


def _other_value(value: Any, draw: Draw) -> bytes:
    """A JSON value with one place of it changed: another value, another type, gone, doubled, nested deeply."""
    places = list(_places(value))
    if not places or draw.random() < 0.03:
        return draw.choice((b"", b"[]", b"null", b"3", b'"x"', b"{}", b"[" * 100_000, b'{"a":' * 5000))
    holder, key = draw.choice(places)
    way = draw.random()
    if way < 0.15:
        del holder[key]
    elif way < 0.3 and isinstance(holder, list):
        holder.insert(key, holder[key])
    elif way < 0.4:
        other, there = draw.choice(places)
        holder[key] = other[there] if key in (range(len(holder)) if isinstance(holder, list) else holder) else None
        return json.dumps(json.loads(json.dumps(value))).encode()
    elif way < 0.5 and isinstance(holder[key], str):
        text = holder[key]
        holder[key] = draw.choice((text * 2, text[:-1], text.upper(), text + ",", text + ":x=1", f"../{text}", f"/{text}"))
    elif way < 0.6 and isinstance(holder[key], int | float):
        holder[key] = draw.choice(
            (holder[key] * 2, holder[key] + 1, holder[key] - 1, -holder[key], str(holder[key]), holder[key] * 10**6)
        )
    elif way < 0.65 and isinstance(holder, dict):
        holder[f"{key} "] = holder.pop(key)
    else:
        holder[key] = draw.choice(VALUES)
    return json.dumps(value).encode()


def _places(value: Any) -> Any:
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value))[:40] if isinstance(value, list) else []
    for key, item in items:
        yield value, key
        yield from _places(item)


def _of_tensors(data: bytes, draw: Draw) -> bytes:
    """The layout of safetensors: in its header, in the notes of that which are JSON, in its numbers."""
    size = int(struct.unpack_from("<Q", data)[0])
    header, rest = json.loads(data[8 : 8 + size]), data[8 + size :]
    way, notes = draw.random(), header.get("__metadata__") or {}
    inner = [name for name, note in notes.items() if note[:1] in "[{"]
    if way < 0.4 and rest:
        at = draw.randrange(len(rest)) // 8 * 8
        numbers = [struct.pack("<f", number) * 2 for number in (math.nan, math.inf, -1e30, 1e30)]
        numbers += [struct.pack("<q", number) for number in (-1, 2**62, -(2**63), 10**6)]
        number = draw.choice([*numbers, struct.pack("<d", math.nan), struct.pack("<d", 1e300)])
        rest = (rest[:at] + number + rest[at + 8 :])[: len(rest)]
        text = data[8 : 8 + size]
    elif way < 0.65 and inner:
        name = draw.choice(inner)
        notes[name] = _other_value(json.loads(notes[name]), draw).decode()
        text = json.dumps(header).encode()
    else:
        text = _other_value(header, draw)
    return struct.pack("<Q", len(text)) + text + rest


def _of_lines(data: bytes, draw: Draw) -> bytes:
    """One line changed, doubled, gone or moved."""
    lines = data.split(b"\n")
    at, way = draw.randrange(len(lines)), draw.random()
    if way < 0.15:
        lines.insert(at, lines[at])
    elif way < 0.3:
        del lines[at]
    elif way < 0.4:
        lines.append(lines.pop(at))
    elif way < 0.7:
        lines[at] = _with_number(lines[at], draw)
    else:
        lines[at] = _of_json(lines[at], draw) if lines[at][:1] == b"{" else _with_piece(lines[at], draw)
    return b"\n".join(lines)


def _of_zip(data: bytes, draw: Draw) -> bytes:
    """One file of a zip changed, doubled, gone or renamed."""
    made = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as file,
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as out,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        names, way = file.namelist(), draw.random()
        chosen = draw.choice(names)
        for name in names:
            inner = file.read(name)
            if name != chosen:
                out.writestr(name, inner)
            elif way < 0.8:
                out.writestr(name, _changed(inner, draw))
            elif way < 0.9:
                out.writestr(name, inner)
                out.writestr(draw.choice((name, f"../{name}", "", f"{name}/", f"{name}.zip")), inner)
    return made.getvalue()


def _repacked(unpack: Callable[[bytes], bytes], pack: Callable[[bytes], bytes]) -> Change:
    return lambda data, draw: pack(_changed(unpack(data), draw))


def _is_json(data: bytes) -> bool:
    if data.lstrip()[:1] not in (b"{", b"["):
        return False
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def _is_text(data: bytes) -> bool:
    return b"\0" not in data and b"\n" in data


_KINDS: tuple[tuple[Callable[[bytes], bool], Change], ...] = (
    (lambda data: data[:4] == b"PK\3\4", _of_zip),
    (lambda data: data[:2] == b"\x1f\x8b", _repacked(gzip.decompress, gzip.compress)),
    (lambda data: data[:3] == b"BZh", _repacked(bz2.decompress, bz2.compress)),
    (lambda data: data[:6] == b"\xfd7zXZ\0", _repacked(lzma.decompress, lzma.compress)),
    (
        lambda data: data[:4] == b"\x28\xb5\x2f\xfd",
        _repacked(lambda data: zstandard.decompress(data, 1 << 24), zstandard.compress),
    ),
    (lambda data: data[8:9] == b"{" and data[5:8] == b"\0\0\0", _of_tensors),
    (_is_json, _of_json),
    (_is_text, _of_lines),
)
