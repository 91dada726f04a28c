"""ARPA files, the text format of n-gram models that KenLM, SRILM and others read and write; ``.gz`` is packed.

Numbers are log10. The format knows probabilities and backoffs only: counts and smoothing are not in it, so a model that is read
back says the same but explains less. ``spelling.py`` says how words with spaces stand in it.
"""

from __future__ import annotations

import gzip
import math
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NoReturn

import numpy as np
from numpy.typing import NDArray

from ...core.errors import DataError
from ...data.encodings import blocks, undecodable
from ..language import Watch
from . import lines
from .lines import Lexicon, read_lines
from .placing import DuplicateError, add_level, unigrams
from .spelling import SPECIALS, decode
from .trie import Level, Trie

MISSING = -100.0
"""The log10 probability of a special token that a file lacks, as KenLM has it."""
_CHUNK = 1 << 24
_BLANKS = re.compile(rb"[ \t\r]+")
_WRONG = {
    lines.NUMBER: "the line should begin with a log10 probability",
    lines.POSITIVE: "a log10 probability is above 0",
    lines.SHORT: "the line has too few words",
    lines.WORD: "a word is not among the 1-grams",
    lines.REST: "the line goes on after what should be its last field",
    lines.INFINITE: f"a log10 backoff is above {lines.LARGEST:g}",
}


def read_arpa(path: Path, watch: Watch = lambda event, fields: None, encoding: str = "utf-8") -> tuple[Trie, list[str]]:
    """The model of an ARPA file, and its words in the order of their numbers: the first three ``<unk>``, ``<s>``, ``</s>``.

    So ``Vocabulary(len(words))`` is its vocabulary. Of these special tokens, one that is not in the file is never predicted.
    Contexts that are missing in the file, as pruning may leave it, are put in; what the model says stays the same.

    Raises:
        DataError: the file is not there, is truncated or is no ARPA file; names the line and the remedy.
        UsageError: there is no such encoding of text.
    """
    try:
        return _File(path, watch, encoding).model()
    except OSError as error:  # gzip.BadGzipFile is one
        raise DataError(f"cannot read {path}: {error.strerror or error}. Check the path, or make the file again.") from None
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path} is truncated or damaged ({error}). Copy it again, or make it again.") from None


class _File:
    """An ARPA file read from its beginning to its end: ``raw`` is a block of whole lines, ``at`` the place in it."""

    def __init__(self, path: Path, watch: Watch, encoding: str) -> None:
        self.path, self.watch = path, watch
        self.raw, self.at, self.first = b"", 0, 1
        self.blocks = blocks(_chunks(path), encoding, str(path))

    def model(self) -> tuple[Trie, list[str]]:
        while self.peek().strip() != b"\\data\\":  # other programs note there what they like
            if self.at >= len(self.raw):
                self.fail("wanted a line \\data\\, but the file ends")
            self.skip()
        self.skip()
        counts = self.counts()
        words, spelled, prob, backoff = self.words(counts[0])
        levels = unigrams(prob, backoff if len(counts) > 1 else None)
        lexicon = Lexicon(spelled)
        for k in range(2, len(counts) + 1):
            self.section(k, counts, lexicon, words, levels)
        self.expect(b"\\end\\")
        return Trie(levels), words

    def counts(self) -> list[int]:
        """The number of n-grams of each order, as the head of the file has it."""
        counts: list[int] = []
        while found := re.fullmatch(rb"ngram\s+(\d{1,3})\s*=\s*(\d{1,18})\s*", self.peek()):
            counts.append(int(found[2]))
            if int(found[1]) != len(counts) or len(counts) > 255:
                self.fail(f"wanted the number of {min(len(counts), 255)}-grams")
            self.skip()
        if not counts:
            self.fail("wanted the numbers of n-grams, such as 'ngram 1=1000'")
        return counts

    def words(self, count: int) -> tuple[list[str], list[bytes], NDArray[np.float32], NDArray[np.float32]]:
        """The 1-grams: words, as they are spelled in the file, their probabilities and backoffs, the special tokens first."""
        self.expect(b"\\1-grams:")
        specials: list[tuple[bytes, float, float]] = [(special.encode(), MISSING, 0.0) for special in SPECIALS]
        places = {special.encode(): place for place, special in enumerate(SPECIALS)} | {b"<UNK>": 0}
        others: dict[str, tuple[bytes, float, float]] = {}
        seen: set[int] = set()
        for row in range(count):
            prob, raw, backoff = self.unigram(row, count)
            place = places.get(raw)
            word = self.decoded(raw) if place is None else ""
            if place in seen or word in others:
                self.fail(f"the word {raw.decode()!r} stands there twice")
            if place is None:
                others[word] = raw, prob, backoff
            else:
                seen.add(place)
                specials[place] = raw, prob, backoff
            self.skip()
        spelled, probs, backoffs = zip(*specials, *others.values(), strict=True)
        with np.errstate(over="ignore"):  # what is below all numbers is the log of 0
            return [*SPECIALS, *others], list(spelled), np.array(probs, np.float32), np.array(backoffs, np.float32)

    def unigram(self, row: int, count: int) -> tuple[float, bytes, float]:
        """Probability, word and backoff of the line."""
        line = self.peek()
        if not line.strip() or line.startswith(b"\\"):
            self.fail(f"the 1-grams end after {row:,}; the head of the file says {count:,}")
        fields = _BLANKS.split(line.strip(b" \t\r"))
        if len(fields) not in (2, 3):
            self.fail(_WRONG[lines.REST if len(fields) > 3 else lines.SHORT])
        try:
            prob, backoff = float(fields[0]), float(fields[2]) if len(fields) == 3 else 0.0
        except ValueError:
            self.fail("probability and backoff should be numbers")
        if math.isnan(prob) or math.isnan(backoff):
            self.fail("probability and backoff should be numbers")
        if backoff > lines.LARGEST:
            self.fail(_WRONG[lines.INFINITE])
        if prob > 0:
            self.fail(_WRONG[lines.POSITIVE])
        return prob, fields[1], backoff

    def section(self, k: int, counts: list[int], lexicon: Lexicon, words: list[str], levels: list[Level]) -> None:
        """The k-grams, put on top of ``levels``."""
        self.expect(b"\\%d-grams:" % k)
        count, highest, line = counts[k - 1], k == len(counts), self.line()
        try:
            ids, prob, backoff = np.empty((count, k), np.uint32), np.empty(count, np.float32), np.empty(count, np.float32)
        except (MemoryError, ValueError):
            self.fail(f"the head of the file says that there are {count:,} {k}-grams, more than there is room for")
        done = 0
        while done < count and self.peek():
            outcome, rows, self.at = read_lines(
                np.frombuffer(self.raw, np.uint8), self.at, highest, lexicon.pool, lexicon.offsets, lexicon.table,
                ids[done:], prob[done:], backoff[done:],
            )  # fmt: skip
            done += rows
            if outcome != lines.DONE:
                self.fail(_WRONG[outcome])
            if not rows:
                break
            self.watch("read", {"rows": sum(counts[: k - 1]) + done, "of": sum(counts)})
        if done < count:
            self.fail(f"the {k}-grams end after {done:,}; the head of the file says {count:,}")
        try:
            add_level(levels, ids, prob, None if highest else backoff)
        except DuplicateError as error:
            first, second = (line + row for row in error.rows)
            gram = " ".join(words[word] for word in ids[error.rows[0]])
            raise DataError(f"{self.path}: lines {first} and {second} hold the same {k}-gram, {gram!r}. Remove one.") from None

    def peek(self) -> bytes:
        """The line at ``at``, without its end; empty at the end of the file."""
        if self.at >= len(self.raw):
            block = next(self.blocks, None)
            if block is None:
                return b""
            self.first, self.raw, self.at = block.line, block.raw, 0
        end = self.raw.find(b"\n", self.at)
        return self.raw[self.at : end if end >= 0 else len(self.raw)]

    def skip(self) -> None:
        """On to the next line."""
        end = self.raw.find(b"\n", self.at)
        self.at = end + 1 if end >= 0 else len(self.raw)

    def expect(self, wanted: bytes) -> None:
        """Over empty lines and then this one."""
        while not (line := self.peek()).strip() and self.at < len(self.raw):
            self.skip()
        if line.strip() != wanted:
            self.fail(f"wanted {wanted.decode()}" + ("" if line else ", but the file ends"))
        self.skip()

    def line(self) -> int:
        """The number of the line at ``at``."""
        return self.first + self.raw.count(b"\n", 0, self.at)

    def decoded(self, raw: bytes) -> str:
        try:
            return decode(raw)
        except UnicodeDecodeError as error:
            raise undecodable(str(self.path), self.line(), error) from None

    def fail(self, reason: str) -> NoReturn:
        """Raise DataError for the line at ``at``."""
        got = self.peek()[:80].decode("utf-8", "replace")
        raise DataError(f"{self.path}, line {self.line()}: {reason}; got {got!r}. Correct the line, or make the file again.")


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        source: IO[bytes] = gzip.GzipFile(fileobj=file) if packed else file  # type: ignore[assignment]
        while chunk := source.read(_CHUNK):
            yield chunk
