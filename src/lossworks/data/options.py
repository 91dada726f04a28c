"""How to read: which columns, which encoding, which format, and what to do about bad rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..core.errors import UnknownName, UsageError
from .encodings import is_text_encoding

Label = str | float | tuple[str, ...]
"""One class, a number, or the several labels of a multi-label row (sorted, each once)."""

Column = str | int
"""A column's name, or its number counted from 1."""

FORMATS = ("csv", "tsv", "jsonl", "parquet", "fasttext", "lines")
POLICIES = ("few", "error", "skip")
UNITS = ("line", "paragraph", "file")
FORMS = ("nfc", "none")
ALL = "all"
"""Of the columns to keep."""
AUTO, FILE = "auto", "file"
"""How a row's language is known where no column holds it: identified from its text, or named by the path of its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """Every choice about reading; the defaults find out by looking.

    text: the text column, or several (a sequence, or ``"title,body"``), which are joined by a space.
    label, weight: one column each. Weights are read only where a column is given.
    encoding: any encoding Python knows; UTF-8 may carry a byte-order mark.
    bad_rows: "error" names the first bad rows and stops, "skip" leaves them out and counts them. "few": left out while they are
        fewer than 1 % of the rows; not where each row gets an answer or a place of its own (``stream``, ``prepare``).
    format: one of csv, tsv, jsonl, parquet, fasttext, lines (one unlabelled text a line).
    header: whether the first row of a CSV or TSV file names its columns.
    unlabelled: labels may be missing, as in text to predict on; such rows have the label None.
    label_sep: what stands between the labels in one cell, such as ``";"``; "list" where cells are lists such as ``["a", "b"]``;
        "auto" to find it by looking. Labels are then sets, and an empty cell is the empty set. None: a cell is one label.
    texts: what of plain text is one text: a "line" that is not blank, a "paragraph" between blank lines, or the "file", whose
        rows are then pieces of whole lines that follow one another. None: every line, and a blank one is a bad row.
    language: the column that holds each row's language; "file": the paths of several files name it; "auto": it is identified.
        (A column that is called so is named by its number.) None: languages are not told apart.
    triples: rows are facts, three names each: of the columns head, relation and tail (or subject, predicate and object, or
        source, relation and target), or of the first three. A row's text is then the names with a tab between them.
    as_run: the text and the label column of a run: read where others are not named and the data has columns of these names.
    keep: columns whose cells are handed on as they stand, for ``stream``: their names or numbers, or "all".
    normalize: "nfc" brings every text into the composed form (UAX 15), so that letters spelled with marks of their own are the
        same as composed ones; "none" reads it as it is. None: "nfc", but of a trained model as its own texts were read.
    """

    text: Column | Sequence[Column] | None = None
    label: Column | None = None
    weight: Column | None = None
    encoding: str = "utf-8"
    bad_rows: str = "few"
    format: str | None = None
    header: bool | None = None
    unlabelled: bool = False
    label_sep: str | None = None
    texts: str | None = None
    language: Column | None = None
    triples: bool = False
    normalize: str | None = None
    keep: Sequence[Column] | str | None = None
    as_run: tuple[str | None, str | None] = (None, None)

    def __post_init__(self) -> None:
        if self.bad_rows not in POLICIES:
            raise UnknownName("policy for bad rows", self.bad_rows, POLICIES)
        if self.format is not None and self.format not in FORMATS:
            raise UnknownName("format", self.format, FORMATS)
        if self.texts is not None and self.texts not in UNITS:
            raise UnknownName("kind of texts", self.texts, UNITS)
        if self.normalize is not None and self.normalize not in FORMS:
            raise UnknownName("normalization", self.normalize, FORMS)
        if self.label_sep == "":
            raise UsageError("the separator of labels (--label-sep) is empty; wanted such as ';' or '|', list, or auto.")
        if self.format == "lines" and not self.unlabelled:
            raise UsageError("format 'lines' is text without labels; to learn, labels are needed too")
        if not is_text_encoding(self.encoding):
            raise UsageError(
                f"unknown encoding {self.encoding!r}. Common ones: utf-8, latin-1, cp1252, utf-16, gb18030, shift_jis."
            )

    @property
    def composes(self) -> bool:
        """Whether text is brought into the composed form."""
        return self.normalize != "none"

    @property
    def language_column(self) -> Column | None:
        """The column of languages, where one was named."""
        return None if self.language in (AUTO, FILE) else self.language

    @property
    def kept_columns(self) -> tuple[Column, ...]:
        """The columns to keep that are named, none if all are kept or none."""
        return () if self.keep is None or isinstance(self.keep, str) else tuple(self.keep)

    @property
    def text_columns(self) -> tuple[Column, ...]:
        """The text columns asked for, none if they are to be found."""
        if self.text is None:
            return ()
        return (self.text,) if isinstance(self.text, str | int) else tuple(self.text)


ROWS_WANTED = "Give at least one row with a text, and a label where labels are learned."
"""What to do about data without rows."""
AS_READ = ReadOptions(normalize="none")
"""For rows that were read before: their text is in the form that it was brought into."""


def read_options(given: ReadOptions | None) -> ReadOptions:
    """What was given as ``read``; the defaults where it is None.

    Raises:
        UsageError: it is something else.
    """
    if given is not None and not isinstance(given, ReadOptions):
        raise UsageError(f"read is {given!r}; wanted lossworks.ReadOptions(text=…, label=…).")
    return given or ReadOptions()
