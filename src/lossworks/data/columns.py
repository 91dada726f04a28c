"""Which columns hold the text, the label and the weight: as asked for, by their common names, or by what is left."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..core.errors import DataError, UsageError
from .options import ALL, Column, ReadOptions

# in the order they are preferred in
TEXT_NAMES = (
    *("text", "sentence", "review", "content", "comment", "body", "message", "tweet", "question", "description", "title"),
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
    usual, usual_label = as_run(names, options)
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
    _check_names({"text": text, "label": (label,), "weight": (weight,), "language": (language,)}, given, options, source)
    return Columns(names, text, label, weight, language, kept=kept)


def _check_names(chosen: Mapping[str, Sequence[int | None]], given: Sequence[str], options: ReadOptions, source: str) -> None:
    """Raise DataError where a column has the name of one that is read, unless its number was said."""
    asked = ",".join(map(str, (*options.text_columns, options.label, options.weight, options.language_column))).split(",")
    for what, at in ((what, at) for what, places in chosen.items() for at in places if at is not None):
        alike = [str(number) for number, name in enumerate(given, 1) if name and name == given[at]]
        if len(alike) > 1 and str(at + 1) not in asked:
            raise DataError(
                f"{source}: columns {' and '.join(alike)} have one name, {given[at]!r}. Rename all but one, or say by its number "
                f"which holds the {what}: --{what} {at + 1}."
            )


def as_run(names: Sequence[str], options: ReadOptions) -> tuple[tuple[int, ...], int | None]:
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
    if (found := named_triple(names)) is not None:
        return found
    if list(names) != numbered(len(names)) or len(names) < 3:
        raise DataError(
            f"{source}: a fact is three columns, head, relation and tail; its columns: {', '.join(names)}. "
            "Name those that hold them: --text COLUMN --text COLUMN --text COLUMN."
        )
    return 0, 1, 2


def named_triple(names: Sequence[str]) -> tuple[int, ...] | None:
    """Where the names of a fact's columns stand; None where they are not there."""
    plain = [folded(name) for name in names]
    return next((tuple(map(plain.index, known)) for known in TRIPLE_NAMES if set(known) <= set(plain)), None)


def folded(name: str) -> str:
    """A column's name as known ones are spelled."""
    return name.strip().casefold().replace(" ", "_").replace("-", "_")


def _first_known(known: Sequence[str], names: Sequence[str], taken: Sequence[int]) -> int | None:
    plain = [folded(name) for name in names]
    places = (plain.index(name) for name in known if name in plain)
    return next((i for i in places if i not in taken), None)


def _positions(column: Column, names: Sequence[str], source: str, what: str) -> list[int]:
    several = isinstance(column, str) and column not in names and "," in column
    parts = str(column).split(",") if several else [column]
    return [_position(part, names, source, what) for part in parts]


def _position(column: Column, names: Sequence[str], source: str, what: str) -> int:
    if isinstance(column, str):
        plain = [folded(name) for name in names]
        if column in names:
            return names.index(column)
        if folded(column) in plain:
            return plain.index(folded(column))
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
