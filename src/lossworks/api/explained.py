"""Explanations as a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..attribution import Explanation


def write_explanations(explanations: Sequence[Explanation], path: Path | str, *, name: str, facts: Sequence[str] = ()) -> Path:
    """Write explanations as one HTML file, ``facts`` below the model's ``name``, and return its path.

    Raises:
        RecordError: the page cannot be written.
    """
    from .. import report

    return report.write_explanations(name, facts, [each.to_json() for each in explanations], Path(path))
