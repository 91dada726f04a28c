"""Flags that several verbs share, spelled once; and how JSON is printed."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..data import ReadOptions


def setting(said: str, *names: str) -> Any:
    """A flag whose default is not typer's to show; ``names``: unless they are made of the argument's."""
    return typer.Option(*names, help=said, show_default=False)


_FILE = re.compile(r"\S+\.(txt|csv|tsv|jsonl?|parquet|ft|zip|xlsx)(\.(gz|zst|bz2|xz))?", re.IGNORECASE)
Texts = Annotated[
    list[str] | None, typer.Argument(metavar="[TEXT|FILE|-]...", help="Texts, files of texts, or - for stdin (the default).")
]
Text = Annotated[
    list[str] | None,
    typer.Option("--text", help="Column with the text, by name or number; repeat to join several.", show_default=False),
]
Label = Annotated[str | None, typer.Option("--label", help="Column with the label, by name or number.", show_default=False)]
Weight = Annotated[str | None, typer.Option("--weight", help="Column with a weight for each row.", show_default=False)]
Encoding = Annotated[str, typer.Option("--encoding", help="Encoding of the text.")]
BadRows = Annotated[
    str,
    typer.Option(
        "--bad-rows", help="few: leave them out below 1 % of the rows, and say so; error: stop; skip: leave out any number."
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="Format of the input: csv, tsv, jsonl, parquet, fasttext.  [default: found by name or content]",
        show_default=False,
    ),
]
Header = Annotated[
    bool | None, typer.Option("--header/--no-header", help="Whether the first row names columns.", show_default=False)
]
LabelSep = Annotated[
    str | None,
    typer.Option("--label-sep", help="What parts several labels in a cell: ';', '|', list, …; auto: found.", show_default=False),
]
Language = Annotated[
    str | None,
    typer.Option(
        "--language",
        help="Column with each row's language; file: named by the paths of several files; auto: identified.",
        show_default=False,
    ),
]
Normalize = Annotated[
    str | None,
    typer.Option(
        "--normalize",
        help="nfc: text is brought into Unicode's composed form; none: read as it is.  [default: nfc]",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout and nothing else there.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
Reference = Annotated[
    str | None,
    typer.Option(
        "--reference", help="Language that others are compared with.  [default: English, else the cheapest]", show_default=False
    ),
]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, …")]


def read_options(
    text: list[str] | None,
    label: str | None,
    weight: str | None,
    encoding: str,
    bad_rows: str,
    format: str | None,
    header: bool | None,
    *,
    label_sep: str | None = None,
    language: str | None = None,
    unlabelled: bool = False,
    normalize: str | None = None,
) -> ReadOptions:
    """The reading that the flags ask for; a column given as a number is counted from 1."""
    from ..data import ReadOptions

    return ReadOptions(
        text=[column(name) for name in text] if text else None,
        label=column(label) if label is not None else None,
        weight=column(weight) if weight is not None else None,
        encoding=encoding,
        bad_rows=bad_rows,
        format=format,
        header=header,
        label_sep=label_sep,
        language=column(language) if language is not None else None,
        unlabelled=unlabelled,
        normalize=normalize,
    )


def texts_of(source: str, read: ReadOptions, record: dict[str, Any], *, quiet: bool = False) -> Iterator[list[str]]:
    """The texts of one argument, in blocks: a file's, stdin's, or the argument itself; what stands after ``--`` is text. They are
    in the form that the model with this ``record`` reads; how many were not is said, unless ``quiet``, rows left out always.

    Raises:
        UsageError: it looks like the name of a file that is not there.
    """
    from .. import data
    from ..api.held import as_trained, found_in
    from ..tokens.graphemes import composed, composed_note

    read = as_trained(read, record)
    if is_text(source):
        texts, changed = composed([source]) if read.composes else ([source], 0)
        _say(() if quiet else composed_note(changed, 1))
        yield list(texts)
        return
    corpus = data.load(source, read)
    try:
        _say(corpus.losses if quiet else [*found_in(read, corpus.text_column), *corpus.notes])
        yield from corpus.blocks()
    finally:
        corpus.close()


def _say(notes: Sequence[str]) -> None:
    if notes:  # mostly there are none, and Rich takes a while to import
        from .tables import say_notes

        say_notes(notes)


def is_text(source: str) -> bool:
    """Whether an argument is itself the text: what stands after ``--``, or is neither a file nor stdin.

    Raises:
        UsageError: it looks like the name of a file that is not there.
    """
    from ..core.errors import UsageError

    if "--" in sys.argv and source in sys.argv[sys.argv.index("--") + 1 :]:
        return True
    if source == "-" or _is_there(source):
        return False
    if _FILE.fullmatch(source):
        raise UsageError(f"there is no file {source!r}. If it is a text, put it after --.")
    return True


def _is_there(source: str) -> bool:
    try:
        path = Path(source)
        return bool(source) and (path.exists() or path.is_symlink() or any(map(Path.is_file, path.parents)))  # in a zip
    except (OSError, ValueError):  # too long for a name, as texts are
        return False


def print_json(value: Any) -> None:
    """The one JSON object of a ``--json`` call; numbers that are not finite are null."""
    from ..record import encode_json

    print(encode_json(value))


def labelled(given: list[str] | None, flag: str) -> float | dict[str, float] | None:
    """One number for all labels, or some labels' own, as a flag that repeats spells them."""
    from ..core.errors import UsageError
    from ..core.values import parsed

    if not given:
        return None
    pairs = [text.rpartition("=")[::2] for text in given]
    if len(pairs) == 1 and not pairs[0][0]:
        return parsed(given[0])  # type: ignore[no-any-return]  # what is no number is refused with the labels at hand
    if not all(label for label, _ in pairs):
        raise UsageError(f"{flag} is {' and '.join(given)}; wanted one number for all, or LABEL=0.9 for some.")
    return {label: parsed(number) for label, number in pairs}


def column(name: str) -> str | int:
    """A column by its name or number, as a flag spells it."""
    return int(name) if name.isdecimal() else name
