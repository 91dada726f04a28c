"""How data is read for what is trained on it: what of it is held out, its columns, and what is one text."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..core.errors import UsageError
from ..data import PARTS, TEST, VALID, ReadOptions, read_options
from ..tasks import LABEL_TASKS
from ..training import Settings

Source = str | os.PathLike[str] | Iterable[Any]
"""What data is given as: a file or pattern, or rows."""


def held_out(valid: Source | float | None, test: Source | float | None) -> tuple[dict[str, float], list[tuple[Source, int]]]:
    """What is held out of the data, as shares by name; and what was given as data of its own, with the part that it is."""
    given = [(valid, VALID), (test, TEST)]
    shares = {PARTS[part]: share for share, part in given if isinstance(share, int | float)}
    return shares, [(source, part) for source, part in given if not isinstance(source, int | float | None)]


def reading_for(settings: Settings, read: ReadOptions | None) -> ReadOptions:
    """How the data is read: several labels in a cell where rows carry sets of them; texts without labels too, where a language
    model is, or may be, what is trained, or where something else than labels teaches; facts for a knowledge graph.

    Raises:
        UsageError: a weight is named for texts that have none, a label for facts, or languages for one long text.
    """
    read = read_options(read)
    check_apart(read, settings.document_unit)
    if settings.of_graph:
        if named := [f"--{name}" for name in ("label", "weight", "language") if getattr(read, name) is not None]:
            raise UsageError(f"{named[0]} is for texts; a fact has but three names. Leave it out.")
        return replace(read, triples=True, unlabelled=True)
    if settings.task == "multilabel" and read.label_sep is None:
        read = replace(read, label_sep="auto")
    if not settings.of_language:
        return read if settings.teach is None else replace(read, unlabelled=True)
    if settings.task in LABEL_TASKS or (settings.task == "auto" and read.label is not None):
        return read
    if read.weight is not None:
        raise UsageError("--weight is for texts with labels; a language model counts every text once. Leave it out.")
    label = None if settings.task == "lm" else read.label
    return replace(read, unlabelled=True, label=label, texts=settings.document_unit or "line")


def check_apart(read: ReadOptions, document_unit: str | None) -> None:
    """Raise UsageError where languages are asked for of what is read as one text."""
    if read.language is not None and document_unit == "file":
        raise UsageError("--language is for texts that are apart, and --document-unit file makes one of all. Leave it out.")
