"""Line formats: fastText's ``__label__a __label__b text``, and plain text without labels, by lines, paragraphs or whole."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..checked_rows import Reading, Rows
from ..encodings import Block

MARK = "__label__"
LABEL = re.compile(rf"(?<![^ \t]){MARK}([^ \t]*)[ \t]*")


def read_fasttext(blocks: Iterator[Block]) -> Reading:
    """Rows of labels, wherever in the line they stand, and a text, which is the rest. A blank line is no row."""
    return Reading(map(_fasttext_rows, blocks))


def read_plain(blocks: Iterator[Block], texts: str | None) -> Reading:
    """Unlabelled texts, as ``ReadOptions.texts`` parts them."""
    if texts == "paragraph":
        return Reading(_paragraphs(blocks))
    if texts == "file":
        return Reading(_pieces(blocks))
    return Reading(_plain_rows(block, keep_blank=texts is None) for block in blocks)


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
        if head.startswith(MARK) and "\t" not in head and MARK not in rest and not rest.startswith((" ", "\t")):
            rows.texts.append(rest)  # most lines, in a third of the time
            rows.labels.append(head[len(MARK) :])
            continue
        labels = list(dict.fromkeys(LABEL.findall(line)))
        text = LABEL.sub("", line)
        rows.texts.append(text.rstrip(" \t") if labels else text)
        rows.labels.append(labels[0] if len(labels) == 1 else labels or None)
    if "" in lines:
        rows = rows.take([i for i, line in enumerate(lines) if line])
    return rows


def _plain_rows(block: Block, keep_blank: bool) -> Rows:
    lines = _lines(block)
    rows = Rows(lines, [None] * len(lines), range(block.line, block.line + len(lines)))
    if not keep_blank and not all(map(str.strip, lines)):
        rows = rows.take([i for i, line in enumerate(lines) if line.strip()])
    return rows


def _paragraphs(blocks: Iterator[Block]) -> Iterator[Rows]:
    """Runs of lines that are not blank; one that goes over the end of a block stands with the next."""
    begun: list[str] = []
    first = 1
    for block in blocks:
        texts, places = list[str](), list[int]()
        for number, line in enumerate(_lines(block), block.line):
            if line.strip():
                first = first if begun else number
                begun.append(line)
            elif begun:
                texts.append("\n".join(begun))
                places.append(first)
                begun = []
        yield Rows(texts, [None] * len(texts), places)
    if begun:
        yield Rows(["\n".join(begun)], [None], [first])


def _pieces(blocks: Iterator[Block]) -> Iterator[Rows]:
    """The whole text, piece by piece, line ends and all; no piece is blank where another is not."""
    held, first = "", 1
    for block in blocks:
        text = block.text()
        if held.strip() and text.strip():
            yield Rows([held], [None], [first])
            held, first = "", block.line
        held += text
    yield Rows([held], [None], [first])
