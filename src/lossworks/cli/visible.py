"""Text that a model or a file holds, as a terminal may show it."""

from __future__ import annotations

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def visible(text: str) -> str:
    """The same with control characters spelled out, so that no text moves the cursor or repaints the screen."""
    return text.translate(_CONTROLS)


def in_line(text: str) -> str:
    """The same within a line's columns: tabs and line ends spelled out too."""
    return visible(text).replace("\t", "\\t").replace("\n", "\\n")
