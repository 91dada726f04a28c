"""N-gram models to ARPA files; ``arpa_reader.py`` says what these are."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ...core.errors import UsageError
from ...record.files import write_atomic
from ..language import Watch
from .lines import LONGEST_NUMBER, Lexicon, write_lines
from .model import NgramModel
from .placing import last_of, rows_of
from .spelling import SPECIALS, encode

NEVER = -99.0
"""How the log of 0 is written."""
_ROWS = 1 << 17  # n-grams at a time


def write_arpa(model: NgramModel, words: Sequence[str], path: Path, watch: Watch = lambda event, fields: None) -> None:
    """Write a model as text; packed where the path ends in ``.gz``. What is read back gives the same probabilities.

    Args:
        model: may be mapped from a file larger than memory.
        words: the spelling of every token, by number; the special tokens' are not looked at.
        path: of the file, which is replaced as a whole or not at all.
        watch: told ``("write", {"rows": n-grams done, "of": all})``.

    Raises:
        UsageError: there are more or fewer words than tokens.
        RecordError: the place cannot be written, or the model's file is damaged.
    """
    vocabulary = model.vocabulary
    if len(words) != vocabulary.size:
        raise UsageError(
            f"got {len(words):,} words for {vocabulary.size:,} tokens. Give the words that the model was fitted with."
        )
    specials = dict(zip((vocabulary.unknown, vocabulary.start, vocabulary.end), SPECIALS, strict=True))
    spelled = [specials[token].encode() if token in specials else encode(word) for token, word in enumerate(words)]
    if len(set(spelled)) < len(spelled):
        raise UsageError(
            "two tokens are spelled alike, so no reader could tell them apart. Give every token a spelling of its own."
        )
    lexicon, sizes = Lexicon(spelled), [model.trie.size(k) for k in range(1, model.order + 1)]

    def write(part: Path) -> None:
        with _opened(part, packed=path.suffix == ".gz") as file:
            file.write(b"\\data\\\n" + b"".join(b"ngram %d=%d\n" % (k, size) for k, size in enumerate(sizes, 1)))
            done = 0
            for k, size in enumerate(sizes, 1):
                file.write(b"\n\\%d-grams:\n" % k)
                for first in range(0, size, _ROWS):
                    last = min(first + _ROWS, size)
                    file.write(_lines(model, lexicon, k, first, last))
                    watch("write", {"rows": done + last, "of": sum(sizes)})
                done += size
            file.write(b"\n\\end\\\n")

    write_atomic(path, write)


def _lines(model: NgramModel, lexicon: Lexicon, k: int, first: int, last: int) -> memoryview:
    """The lines of the k-grams ``first`` to ``last``."""
    query, level = model.query, model.query.levels[k]
    rows = rows_of(model.trie, k, first, last)
    if rows.size and rows.max() >= model.vocabulary.size:
        raise query.damaged(k)
    backoff = None
    with np.errstate(divide="ignore"):
        if level.prob is not None and k > 1:
            prob = level.prob[first:last].astype(np.float64)
        else:
            _, prob = last_of(query, rows, k)
            prob = prob if query.valued else np.log10(prob)
        if k < model.order:
            backoff = _written(np.log10(query.backoff(k, np.arange(first, last))))
    room = int((lexicon.offsets[rows + 1] - lexicon.offsets[rows]).sum()) + len(rows) * (k + 3 + 2 * LONGEST_NUMBER)
    out = np.empty(room, np.uint8)
    return out[: write_lines(_written(prob), rows, backoff, lexicon.pool, lexicon.offsets, out)].data


def _written(log10: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isneginf(log10), NEVER, np.clip(log10, -999, 999))


@contextlib.contextmanager
def _opened(path: Path, packed: bool) -> Iterator[IO[bytes]]:
    """The file to write to; what is packed holds no time, so that the same model gives the same bytes."""
    with path.open("wb") as file:
        if not packed:
            yield file
            return
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as packer:
            yield packer  # type: ignore[misc]
