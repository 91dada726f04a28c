"""Line formats: fastText's ``__label__a __label__b text``, and plain lines, one unlabelled text each."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..encodings import Block
from ..rows import Reading, Rows

MARK = "__label__"
LABELS = re.compile(r"(?:__label__[^ \t]*(?:[ \t]+|$))*")


def read_fasttext(blocks: Iterator[Block]) -> Reading:
    """Rows of labels and a text. A blank line is no row."""
    return Reading(map(_fasttext_rows, blocks))


def read_plain(blocks: Iterator[Block]) -> Reading:
    """Each line a text."""
    return Reading(map(_plain_rows, blocks))


def _lines(block: Block) -> list[str]:
    """The lines without their ends; only a newline ends one, with or without a carriage return before it."""
    text = block.text()
    lines = text.removesuffix("\n").split("\n")
    return [line.removesuffix("\r") for line in lines] if "\r" in text else lines


def _fasttext_rows(block: Block) -> Rows:
    lines = _lines(block)
    rows = Rows([], [], range(block.line, block.line + len(lines)))
    for line in lines:
        head, _, rest = line.partition(" ")
        if head.startswith(MARK) and "\t" not in head and not rest.startswith((MARK, " ", "\t")):
            rows.texts.append(rest)  # most lines, in a third of the time
            rows.labels.append(head[len(MARK) :])
            continue
        match = LABELS.match(line)
        end = match.end() if match else 0
        labels = [label.rstrip(" \t") for label in line[:end].split(MARK)[1:]]
        rows.texts.append(line[end:])
        rows.labels.append(labels[0] if len(labels) == 1 else labels or None)
    if "" in lines:
        rows = rows.take([i for i, line in enumerate(lines) if line])
    return rows


def _plain_rows(block: Block) -> Rows:
    lines = _lines(block)
    return Rows(lines, [None] * len(lines), range(block.line, block.line + len(lines)))
