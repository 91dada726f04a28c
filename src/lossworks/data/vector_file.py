"""Files of word vectors: the text form of word2vec, GloVe and fastText, and a safetensors table with a tokenizer beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from .. import tokens
from ..core.errors import DataError
from ..tokens import Tokenizer
from .sources import chunks, missing

_AS_TEXT = (
    "Write it as text: with gensim, KeyedVectors.load_word2vec_format(path, binary=True).save_word2vec_format('vectors.txt'); "
    "of fastText's, take the .vec file."
)
_NUMBER = re.compile(r"[-+]?\d*\.?\d+([eE][-+]?\d+)?")
_HEAD = 4096  # bytes by which a binary file is known


def read_words(path: Path, most: int) -> tuple[list[str], NDArray[np.float32], bool]:
    """The words of a file of lines ``word number number …``, [V], their vectors [V, D], and whether there are more.

    The first line may tell V and D, as word2vec's does. Of a word that stands there twice the first line counts. A packed file
    (.gz, .bz2, .xz, .zst) is unpacked as it is read.

    Args:
        path: the file, in UTF-8.
        most: words to read; files have the frequent ones first.

    Raises:
        DataError: no such file; it is empty, binary, or cut off; a line, which is named, has another length or no numbers.
    """
    words: dict[str, NDArray[np.float32]] = {}
    told, size, held = 0, 0, 0
    for number, line in enumerate(_lines(path), 1):
        if not line or line.isspace():
            continue
        if not size:
            fields = line.split()
            size = len(fields) - 1
            if number == 1 and len(fields) == 2 and all(map(str.isdecimal, fields)):
                told, size = map(int, fields)
                continue
        if len(words) == most:
            return list(words), np.stack(list(words.values())), True
        word, vector = _parsed(path, number, line, size)
        words.setdefault(word, vector)
        held += 1
    if not words:
        raise DataError(f"{path} holds no word vectors. Give lines of a word and its numbers.")
    if held < told:
        raise DataError(f"{path} ends after {held:,} of the {told:,} words that its first line tells of. Get the file again.")
    return list(words), np.stack(list(words.values())), False


def read_table(path: Path) -> tuple[Tokenizer, NDArray[np.float32]]:
    """The vectors [V, D] in a safetensors file that holds one table, and the tokenizer in ``tokenizer.json`` beside it.

    Raises:
        DataError: no such file; it is damaged, or holds no table, or several; its tokenizer has more tokens than it has rows.
        RecordError: the tokenizer is missing or damaged.
    """
    if not path.exists():
        raise missing(path)
    try:
        with safe_open(path, "pt") as file:
            tables = {name: file.get_tensor(name) for name in file.keys() if len(file.get_slice(name).get_shape()) == 2}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path} is damaged ({error}). Get the file again.") from None
    if len(tables) != 1:
        raise DataError(f"{path} holds {len(tables)} tables ({', '.join(sorted(tables)[:5])}); wanted one, of word vectors.")
    vectors: NDArray[np.float32] = next(iter(tables.values())).float().numpy()
    tokenizer = tokens.load(path.with_name("tokenizer.json"))
    if (size := tokens_of(tokenizer)) > len(vectors):
        raise DataError(f"{path} has {len(vectors):,} vectors, and the tokenizer beside it {size:,} tokens. Give its own.")
    if not np.isfinite(vectors).all():
        raise DataError(f"{path} holds a number that is not finite. Get the file again.")
    return tokenizer, vectors


def tokens_of(tokenizer: Tokenizer) -> int:
    """How many different tokens it reads texts as; marks of its own that are no text may be numbered after them."""
    library = tokenizer.library()
    return tokenizer.vocabulary.size if library is None else 1 + max(library.get_vocab().values(), default=-1)


def _parsed(path: Path, number: int, line: str, size: int) -> tuple[str, NDArray[np.float32]]:
    """A line's word, which may hold spaces, and its ``size`` numbers."""
    word, *numbers = line.rstrip().rsplit(None, min(size, len(line)))
    where = f"{path}, line {number}"
    if len(numbers) < size or not size:
        raise DataError(f"{where}: {len(line.split()) - 1} numbers; wanted {size or '1 or more'}, as of the lines before.")
    if " " in word.strip() and _NUMBER.fullmatch(word.split()[-1]):
        raise DataError(f"{where}: more than the {size} numbers of the lines before.")
    try:
        vector = np.array([*map(float, numbers)])
    except ValueError as error:
        raise DataError(f"{where}: {error}; wanted a word and {size} numbers.") from None
    if not (abs(vector) <= np.finfo(np.float32).max).all():
        raise DataError(f"{where}: a number is not finite, or beyond float32.")
    return word.strip(), vector.astype(np.float32)


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file; bytes that are no UTF-8 become a character that no word has."""
    rest, first = b"", True
    for chunk in chunks(path):
        if first and any(byte < 9 or 13 < byte < 32 for byte in chunk[:_HEAD]):  # which no text holds
            raise DataError(f"{path} is binary. {_AS_TEXT}")
        first = False
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in lines)
    if rest:
        yield rest.decode("utf-8", "replace")
