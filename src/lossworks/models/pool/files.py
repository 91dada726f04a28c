"""A pool in a folder: its rule with what is said of each source in one file, and each source in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from ...record import read_object, write_json
from .rule import Rule

_FILE, _SOURCES = "pool.json", "sources"


class Saved(Protocol):
    """A source."""

    def save(self, folder: Path) -> None:
        """Write its files."""


def write_pool(folder: Path, rule: Rule, sources: list[tuple[Any, Saved]]) -> None:
    """Write a pool. sources: with what is said of each, in plain values."""
    for number, (_, source) in enumerate(sources):
        (place := _home(folder, number)).mkdir(parents=True, exist_ok=True)
        source.save(place)
    write_json(folder / _FILE, {"rule": rule.to_json(), "sources": [said for said, _ in sources]})


def read_pool(folder: Path) -> tuple[Rule, list[tuple[Any, Path]]]:
    """The rule, and of each source what was said of it and its folder.

    Raises:
        RecordError, KeyError, TypeError, ValueError: the file is missing, damaged, or does not fit.
    """
    written = read_object(folder / _FILE)
    rule, said = Rule.from_json(written["rule"]), written["sources"]
    if len(said) != len(rule.weights):
        raise ValueError(f"{len(said)} sources with {len(rule.weights)} weights")
    return rule, [(each, _home(folder, number)) for number, each in enumerate(said)]


def _home(folder: Path, number: int) -> Path:
    return folder / _SOURCES / str(number)
