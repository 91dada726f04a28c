"""Explanations as a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..attribution import Explanation
from .explain_data import ExplainedData


def write_explanations(
    found: Sequence[Explanation] | ExplainedData, path: Path | str, *, name: str, facts: Sequence[str] = ()
) -> Path:
    """Write explanations of texts, or of a data set, as one HTML file, ``facts`` below the model's ``name``; return its path.

    Raises:
        RecordError: the page cannot be written.
    """
    from .. import report

    data, explanations = (found.to_json(), found.explanations) if isinstance(found, ExplainedData) else (None, found)
    return report.write_explanations(name, facts, [each.to_json() for each in explanations], Path(path), data)
