"""Which columns hold the text, the label and the weight: as asked for, by their common names, or by what is left."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..core.errors import DataError, UsageError
from .options import ALL, Column, ReadOptions

# in the order they are preferred in
TEXT_NAMES = (
    *(
        "text",
        "sentence",
        "review",
        "content",
        "comment",
        "body",
        "message",
        "tweet",
        "question",
        "description",
        "title",
    ),
    *("review_text", "review_body", "reviewtext", "document", "utterance", "headline", "abstract", "summary", "query"),
    *("post", "prompt", "input"),
)
LABEL_NAMES = (
    *("label", "labels", "class", "category", "sentiment", "target", "y", "score", "rating", "stars", "polarity"),
    *("topic", "intent", "emotion", "classes", "categories", "topics", "tag", "tags"),
)

TRIPLE_NAMES = (
    ("head", "relation", "tail"),
    *(("subject", relation, "object") for relation in ("predicate", "relation")),
    *(("source", relation, "target") for relation in ("relation", "type")),
)
MISSING = ("na", "n/a", "none", "null")
"""What stands where a number is missing."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Chosen columns, by position from 0. ``names`` are what ``ReadOptions`` knows all by: without an own name, by number.
    ``triples``: the text columns are the three names of a fact. ``kept``: those whose cells are handed on.
    """

    names: tuple[str, ...]
    text: tuple[int, ...]
    label: int | None
    weight: int | None
    language: int | None = None
    triples: bool = False
    kept: tuple[int, ...] = ()

    @property
    def kept_names(self) -> tuple[str, ...]:
        """The names of the kept columns."""
        return tuple(self.names[i] for i in self.kept)

    @property
    def text_column(self) -> str:
        """The text columns, spelled so that ``ReadOptions(text=...)`` finds them again."""
        return ",".join(self.names[i] for i in self.text)

    @property
    def label_column(self) -> str | None:
        """The label column, spelled likewise."""
        return None if self.label is None else self.names[self.label]

    @property
    def chosen(self) -> list[int]:
        """The columns worth reading, each once: the language may be what is to be learned."""
        return list(
            dict.fromkeys([*self.text, *(i for i in (self.label, self.weight, self.language) if i is not None), *self.kept])
        )


def numbered(count: int) -> list[str]:
    """The names of columns that have none: their numbers."""
    return [str(i + 1) for i in range(count)]


def is_header(rows: Sequence[Sequence[str]], options: ReadOptions, *, prose: bool = False) -> bool:
    """Whether the first of ``rows`` names the columns; where it can be told by names only, the rows may be ``prose``."""
    if options.header is not None:
        return options.header
    if any(isinstance(c, str) and not re.fullmatch(r"[\d,\s]+", c) for c in _given(options)):
        return True
    first = rows[0]
    if any(_as_run(first, options)):
        return True
    if options.triples:
        return _named_triple(first) is not None
    body = [row for row in rows[1:] if row != first or len(first) == 1]  # files joined repeat the whole header
    if not all(map(_reads_like_name, first)):
        return False
    return _has_known_names(first, body) or (not prose and _stands_out(first, body, options))


def choose(names: Iterable[str], options: ReadOptions, source: str, sample: Sequence[Sequence[str]] = ()) -> Columns:
    """The columns to read. ``sample`` rows tell text from label where two columns have no telling names.

    Raises:
        DataError: a column that was asked for is not there, or none can be found.
    """
    given = [name.strip() for name in names]
    names = tuple(name if name and name not in given[:i] else str(i + 1) for i, name in enumerate(given))
    text = tuple(i for column in options.text_columns for i in _positions(column, names, source, "text"))
    kept = _kept(options, names, source)
    if options.triples:
        return Columns(names, text or _of_triples(names, source), None, None, triples=True, kept=kept)
    label, weight, language = (
        None if column is None else _position(column, names, source, what)
        for column, what in ((options.label, "label"), (options.weight, "weight"), (options.language_column, "language"))
    )
    asked = [*text, *(i for i in (label, weight) if i is not None)]
    if len(set(asked)) < len(asked):
        raise UsageError(f"{source}: one column is asked for twice; text, label and weight each need their own.")
    if language is not None and language in (*text, weight):
        raise UsageError(f"{source}: --language {options.language} is the column of texts or weights. Name that of languages.")
    taken = asked if language is None else [*asked, language]
    usual, usual_label = _as_run(names, options)
    if not text and not {*usual} & {*taken}:
        text = usual
    if label is None and usual_label not in (*text, *taken):
        label = usual_label
    if not text and (found := _first_known(TEXT_NAMES, names, taken)) is not None:
        text = (found,)
    if label is None:
        label = _first_known(LABEL_NAMES, names, [*text, *taken])
    left = [i for i in range(len(names)) if i not in (*text, label, weight, language)]
    if not text and label is None and len(left) == 2:
        label, other = _label_first(left, sample)
        text = (other,)
    elif not text and len(left) == 1:
        text = (left[0],)
    elif label is None and len(left) == 1 and not options.unlabelled:
        label = left[0]
    if not text:
        raise _unfound("text", names, sample, source, options)
    if label is None and not options.unlabelled:
        raise _unfound("label", names, sample, source, options)
    return Columns(names, text, label, weight, language, kept=kept)


def _as_run(names: Sequence[str], options: ReadOptions) -> tuple[tuple[int, ...], int | None]:
    """Where the text and the label columns of the run stand; one that was known by its number may be another in other data."""
    at = {name: i for i, name in enumerate(names) if not name.isdecimal()}
    text, label = (name or "" for name in options.as_run)
    parts = [text] if text in at else text.split(",")
    return tuple(at[part] for part in parts) if at.keys() >= {*parts} else (), at.get(label)


def _kept(options: ReadOptions, names: Sequence[str], source: str) -> tuple[int, ...]:
    if options.keep == ALL:
        return tuple(range(len(names)))
    return tuple(dict.fromkeys(_position(column, names, source, "keep") for column in options.kept_columns))


def _of_triples(names: Sequence[str], source: str) -> tuple[int, ...]:
    """The columns called head, relation and tail or the like, or the first three of columns without names."""
    if (found := _named_triple(names)) is not None:
        return found
    if list(names) != numbered(len(names)) or len(names) < 3:
        raise DataError(
            f"{source}: a fact is three columns, head, relation and tail; its columns: {', '.join(names)}. "
            "Name those that hold them: --text COLUMN --text COLUMN --text COLUMN."
        )
    return 0, 1, 2


def _named_triple(names: Sequence[str]) -> tuple[int, ...] | None:
    """Where the names of a fact's columns stand; None where they are not there."""
    plain = [_plain(name) for name in names]
    return next((tuple(map(plain.index, known)) for known in TRIPLE_NAMES if set(known) <= set(plain)), None)


def _has_known_names(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Names of a text and of a label; or of one, which then stands there once: classes may be called like columns."""
    texts, labels = ([i for i, name in enumerate(first) if _plain(name) in known] for known in (TEXT_NAMES, LABEL_NAMES))
    if texts and labels:
        return True
    again = any(row[i : i + 1] == first[i : i + 1] for row in body for i in texts + labels)
    return bool(texts or labels) and not again and len(set(first)) == len(first)


def _stands_out(first: Sequence[str], body: Sequence[Sequence[str]], options: ReadOptions) -> bool:
    """Whether names that nobody knows head the columns, for no row may be lost that could be one of the data.

    Either a word stands above numbers alone. Or a label that no row has stands above labels that all but few rows share,
    beside a text shorter than nearly all: a row that is the only one of its class is rarely both the first and the shortest.
    """
    body = [row for row in body if len(row) == len(first)]
    words = [i for i, cell in enumerate(first) if any(map(str.isalpha, cell)) and cell.casefold() not in MISSING]
    numbers = ([_is_number(row[i]) for row in body if row[i]] for i in words)
    if any(len(column) > 2 and all(column) for column in numbers):
        return True
    try:
        columns = choose(first, options, "", body)
    except (DataError, UsageError):
        return False
    if columns.label is None or len(body) < 8:
        return False
    label, text = first[columns.label], first[columns.text[0]]
    classes = Counter(row[columns.label] for row in body)
    lonely = sum(count == 1 for count in classes.values())
    cells = [row[columns.text[0]] for row in body]
    longer = sum(len(cell) > len(text) or len(cell.split()) > len(text.split()) for cell in cells)
    return (
        bool(label and text and label not in classes)
        and len(classes) > 1
        and 50 * lonely <= len(body)
        and 10 * longer >= 9 * len(body)
    )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _given(options: ReadOptions) -> list[Column]:
    return [
        c
        for c in (*options.text_columns, *options.kept_columns, options.label, options.weight, options.language_column)
        if c is not None
    ]


def _plain(name: str) -> str:
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def _reads_like_name(cell: str) -> bool:
    cell = cell.strip()
    return len(cell) <= 40 and len(cell.split()) <= 4 and not cell.endswith((".", "!", "?")) and not _is_number(cell)


def _first_known(known: Sequence[str], names: Sequence[str], taken: Sequence[int]) -> int | None:
    plain = [_plain(name) for name in names]
    places = (plain.index(name) for name in known if name in plain)
    return next((i for i in places if i not in taken), None)


def _positions(column: Column, names: Sequence[str], source: str, what: str) -> list[int]:
    several = isinstance(column, str) and column not in names and "," in column
    parts = str(column).split(",") if several else [column]
    return [_position(part, names, source, what) for part in parts]


def _position(column: Column, names: Sequence[str], source: str, what: str) -> int:
    if isinstance(column, str):
        plain = [_plain(name) for name in names]
        if column in names:
            return names.index(column)
        if _plain(column) in plain:
            return plain.index(_plain(column))
        if not column.strip().isdecimal():
            close = difflib.get_close_matches(column.casefold(), names, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise DataError(f"{source} has no column {column!r} (--{what}).{hint} Its columns: {', '.join(names)}.")
    number = int(column)
    if not 1 <= number <= len(names):
        raise DataError(f"{source} has no column {number} (--{what}); it has {len(names)}: {', '.join(names)}.")
    return number - 1


def _label_first(pair: Sequence[int], sample: Sequence[Sequence[str]]) -> list[int]:
    """Two columns, the label before the text: labels repeat, and are short."""

    def variety(i: int) -> tuple[int, int]:
        cells = [row[i] for row in sample if len(row) > i]
        return len(set(cells)), sum(map(len, cells))

    return sorted(pair, key=variety)


def _unfound(what: str, names: Sequence[str], sample: Sequence[Sequence[str]], source: str, options: ReadOptions) -> DataError:
    columns = ", ".join(names)
    if sample and list(names) == numbered(len(names)):
        cells = [cell if len(cell) <= 30 else cell[:29] + "…" for cell in sample[0]]
        columns = ", ".join(f"{name}: {cell!r}" for name, cell in zip(names, cells, strict=False))
    to_fit = what == "label" and options.as_run == (None, None)
    without = " If there is none, train a language model: --task lm." if to_fit else ""
    return DataError(
        f"{source}: which column holds the {what}? Name it, or number it, with --{what} (in Python: "
        f"read=lossworks.ReadOptions({what}=…)). Its columns: {columns}.{without}"
    )
