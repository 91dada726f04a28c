"""Answers to many texts in columns, as `predict`, `score` and `languages identify` print them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from itertools import chain, islice

from .visible import in_line


def print_rows(names: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Print rows of cells below the ``names`` of their columns: a table for people, tab-separated lines, as they come, for
    programs. ``right``: the names of columns of numbers.
    """
    lines = (tuple(map(in_line, row)) for row in rows)
    if not sys.stdout.isatty():
        first = list(islice(lines, 1))  # before the names, which are not printed where there is an error instead
        for line in chain([names], first, lines):
            print("\t".join(line))
        return
    from rich.table import Table

    from .tables import console

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in names:
        table.add_column(name, justify="right" if name in right else "left")
    for line in lines:
        table.add_row(*line)
    console().print(table)
