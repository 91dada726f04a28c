"""Docstrings of the package as Sphinx reads them."""

from __future__ import annotations

import inspect
import re
from typing import Any


def ours(thing: Any) -> bool:
    """Whether it is of this package; what other packages add to our classes, they document."""
    return getattr(inspect.unwrap(getattr(thing, "fget", thing)), "__module__", "lossworks").startswith("lossworks")


def readable(lines: list[str]) -> list[str]:
    """A docstring as napoleon and reStructuredText read it: "name: text" is an item of a list, and a star or a bar no markup."""
    found: list[str] = []
    inside = False
    for line in lines:
        parts = re.split(r"(``[^`]+``)", line)
        line = "".join(part if n % 2 else re.sub(r"([*|\\])|(?<=\w)_(?!\w)", r"\\\g<0>", part) for n, part in enumerate(parts))
        item = re.match(r"([a-z]\w*(?:, \w+)*)(?::\s|\s{2,})(?=\S)", line)
        if item:
            found += [""] * (not inside) + [f"- **{item[1]}**: {line[item.end() :]}"]
        else:
            found.append(f"  {line.strip()}" if inside and line.startswith("    ") else line)
        inside = bool(item) or (inside and line.startswith(" "))
        if not inside and found[-2:-1] and found[-2].startswith(("- ", "  ")) and line:
            found.insert(-1, "")
    return found
