"""``load``: find the format, read it block by block, check every row, keep the good ones."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from ..core.errors import DataError, UsageError
from ..core.memory import available
from ..record.scratch import temporary
from .archives import within
from .checked_rows import Reading, check
from .corpus import Corpus
from .encodings import Block, blocks
from .formats import delimited, excel, folders, frames, jsonl, lines, pairs, parquet, prepared, sniff
from .labels import LabelBook
from .languages import LanguageBook, of_files
from .options import AUTO, FILE, ROWS_WANTED, ReadOptions, read_options
from .room import Beyond, Room, little, sizes_of
from .sources import Meter, chunks, matching
from .store import TextStore

_FEW = 0.01  # of the rows: so many bad ones are left out by "few"
BUDGET = 256 << 20
"""Bytes of text held in memory; what is beyond waits in a temporary file."""
Tell = Callable[[int, float | None], object]
"""Is told how many rows were read, and of how many; None: that is not known."""


def load(
    source: str | os.PathLike[str] | Iterable[Any],
    options: ReadOptions | None = None,
    *,
    budget: int = BUDGET,
    spill: Path | None = None,
    beyond: Beyond = little,
    tell: Tell = lambda rows, of: None,
) -> Corpus:
    """All rows of ``source``: a file, a folder with a sub-folder per class, "-" for stdin, or Python rows.

    A pattern such as "*/train.tsv" or "{hau,ibo}.csv" stands for several files, which are read one after another; so do a zip
    and a folder of Parquet shards. One file of a zip, or sheet of a workbook, has a path: "x.zip/train.csv", "book.xlsx/Sheet2".
    Python rows are (text, label) or (text, label, weight) tuples, dicts, or a data frame.

    Args:
        source: the data.
        options: how it is read; by default found by looking.
        budget, spill: texts beyond so many bytes go to a temporary file in that folder (the system's for such files if None),
            which ``Corpus.close`` removes. Of little memory a quarter is the budget.
        beyond: what memory is taken by what is done with the rows.
        tell: is told of rows as they are read.

    Raises:
        DataError: the source is missing, empty, in the wrong encoding, or has bad rows and the policy is "error".
        OutOfMemory: the rows, and what is done with them, do not fit into memory.
        RecordError: the temporary file cannot be written.
    """
    options, budget = read_options(options), int(min(budget, available() / 4))
    files: list[Any] = matching(source) if isinstance(source, str | os.PathLike) else [source]
    languages: list[str | None] = [None] * len(files)
    if options.language == FILE:
        if not isinstance(source, str | os.PathLike):
            raise UsageError("language is 'file', and rows come from none. Give dicts or a frame, and name the key or column.")
        languages = [*of_files(files)]
    with ExitStack() as stack:
        if isinstance(source, str | os.PathLike):
            stack.enter_context(collector_paused())
        opened = ((*open_rows(file, options, stack, spill), language) for file, language in zip(files, languages, strict=True))
        first = name, reading, _ = next(opened)
        name = name if len(files) == 1 else str(source)
        corpus = Corpus(name, reading.unit, reading.text_column, reading.label_column, TextStore(budget, spill))
        corpus.composed = 0 if options.composes else None
        try:
            _fill(corpus, chain([first], opened), options, Room(source, sizes_of(files), options, budget, beyond), tell)
        except BaseException:
            corpus.close()
            raise
    return corpus


@contextmanager
def load_all(
    sources: Iterable[tuple[Any, Any]],
    options: ReadOptions | None,
    scratch: Path,
    beyond: Beyond = little,
    tell: Tell = lambda rows, of: None,
) -> Iterator[list[Corpus]]:
    """The corpora of ``sources``, each (source, part), as ``load`` reads them; what waits on disk is let go of at the end."""
    corpora: list[Corpus] = []
    with ExitStack() as stack:
        for source, _ in sources:
            corpora.append(load(source, options, spill=scratch, beyond=beyond, tell=tell))
            stack.callback(corpora[-1].close)
            if options is not None and options.label_sep == "auto":  # labels are parted alike in all of them
                options = replace(options, label_sep=corpora[-1].label_sep or "auto")
        yield corpora


def _fill(
    corpus: Corpus, opened: Iterable[tuple[str, Reading, str | None]], options: ReadOptions, room: Room, tell: Tell
) -> None:
    """Read all rows of ``opened`` files: the name of each, its rows, and the language of all of them, where it is its file's."""
    book = LabelBook(optional=options.unlabelled, separator=options.label_sep)
    told = None if options.language is None else LanguageBook(identified=options.language == AUTO)
    for file, (name, reading, language) in enumerate(opened):
        before = len(corpus)
        for rows in reading.rows:
            if language is not None:
                rows.languages = [language] * len(rows.texts)
            elif options.language_column is not None and rows.languages is None and rows.texts:
                raise DataError(
                    f"{name} has no columns, so none holds the language (--language {options.language}). Give a table or JSON "
                    "lines with one, or where each language has a file of its own, all files and --language file."
                )
            checked, faults = check(rows, book, told, compose=options.composes)
            corpus.add(checked, faults, None if name == corpus.source else name)
            expected = reading.expected(len(corpus) - before)
            room.look(corpus, file, before, expected, checked.texts)
            tell(len(corpus), room.rows(file, before, expected))
            if told is not None:
                told.check(str(options.language), name)
    if told is not None:
        told.check(str(options.language), corpus.source, len(corpus))
    corpus.finish(None if told is None else told.names)
    corpus.label_type, corpus.label_sep = book.label_type, None if book.separator == "auto" else book.separator
    most = {"error": 0.0, "few": _FEW, "skip": 1.0}[options.bad_rows] * (len(corpus) + corpus.skipped)
    if corpus.skipped and (corpus.skipped > most or not len(corpus)):
        raise _bad_rows(corpus)
    if not len(corpus):
        raise DataError(f"{corpus.source} holds no rows. {ROWS_WANTED}")


def open_rows(source: Any, options: ReadOptions, stack: ExitStack, spill: Path | None) -> tuple[str, Reading]:
    """What to call a source, and its rows to come, unchecked; what ``stack`` gets is let go of with it. As of ``load``."""
    if not isinstance(source, str | os.PathLike):
        if frames.is_frame(source):
            return "the rows", frames.read(source, options, "the rows")
        if isinstance(source, bytes) or not isinstance(source, Iterable):
            raise UsageError(
                f"cannot read rows from {type(source).__name__}; wanted a path, (text, label) tuples, or a data frame."
            )
        return "the rows", pairs.read(source, options, "the rows")
    if not os.fspath(source):
        raise UsageError("the path of the data is empty. Name a file, a folder, or - for stdin.")
    path = None if source == "-" else _one(source)
    if path is not None and os.path.isdir(path):  # which no name is too long for
        if prepared.is_prepared(path):
            _check_unit(options, path, "a prepared directory")
            return str(path), prepared.read(path, options)
        if (path / prepared.WORK).is_dir():
            raise DataError(f"{path} is not finished. The `lossworks data prepare` that began it goes on where it was.")
        return str(path), folders.read(path, options)
    if path is not None and excel.is_workbook(path):
        _check_unit(options, path, "a workbook")
        return str(path), excel.read(path, options)
    name, meter = "stdin" if path is None else str(path), Meter()
    format, data, lines_of = look(path, options, meter)
    if format == "parquet":
        plain = path is not None and parquet.is_plain(path)
        return name, parquet.read(path if path and plain else _on_disk(data, stack, spill), options, name)
    if format == "jsonl":
        reading = jsonl.read(lines_of, options, name)
    elif format == "fasttext":
        reading = lines.read_fasttext(lines_of)
    elif format == "lines":
        reading = lines.read_plain(lines_of, options.texts)
    else:
        reading = delimited.read(lines_of, options, name, format)
    return name, replace(reading, expected=lambda rows: rows / meter.share if meter.share else None)


def _one(source: str | os.PathLike[str]) -> Path:
    """The only file that a zip or a folder of shards holds, or what else ``source`` is."""
    names = within(os.fspath(source))
    if len(names) > 1:
        raise DataError(f"{source} holds {len(names)} files. Name one of them here, such as {names[0]}.")
    return Path(names[0])


def look(path: Path | None, options: ReadOptions, meter: Meter | None = None) -> tuple[str, Iterator[bytes], Iterator[Block]]:
    """The format of a file (of stdin, if None), its unpacked bytes, and its lines; of Parquet, which has none, the bytes alone.
    ``meter`` is as of ``chunks``.

    Raises:
        DataError: it is empty, cannot be read, or its format cannot be told.
    """
    name = "stdin" if path is None else str(path)
    data = chunks(path, meter)
    first = next(data, b"")
    if not first:
        raise DataError(f"{name} is empty. {ROWS_WANTED}")
    data = chain([first], data)
    format = options.format or (path and sniff.by_name(path)) or ("lines" if options.texts in ("paragraph", "file") else None)
    if format not in (None, "lines"):
        _check_unit(options, name, str(format))
    if format == "parquet" or (not options.format and first.startswith(parquet.BEGINNING)):
        return "parquet", data, iter(())
    lines_of = blocks(data, options.encoding, name)
    head = next(lines_of, None)
    if head is None:
        raise DataError(f"{name} is empty. {ROWS_WANTED}")
    return options.format or sniff.by_look(head, options, format or None), data, chain([head], lines_of)


def _check_unit(options: ReadOptions, name: str | Path, format: str) -> None:
    if options.texts in ("paragraph", "file"):
        raise UsageError(f"--document-unit {options.texts} is for plain text; {name} is read as {format}, a text in each row.")


@contextmanager
def collector_paused() -> Iterator[None]:
    """Rows form no cycles; Python's collector would only walk through the millions at hand again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _on_disk(data: Iterator[bytes], stack: ExitStack, spill: Path | None) -> Path:
    """Parquet must be read from its end: unpacked, and stdin, it goes through a file."""
    path = stack.enter_context(temporary(spill)) / "unpacked.parquet"
    with path.open("wb") as file:
        file.writelines(data)
    return path


def _bad_rows(corpus: Corpus) -> DataError:
    good, bad = len(corpus), corpus.skipped
    named = "".join(f"\n  {place}" for place in corpus.bad) + ("\n  …" if bad > len(corpus.bad) else "")
    remedy = "Repair them, or leave them out with --bad-rows skip." if good else "No good row is left."
    count = f"{bad:,} of {good + bad:,} rows {'is' if bad == 1 else 'are'} bad"
    return DataError(f"{corpus.source}: {count}:{named}\n{remedy}")
