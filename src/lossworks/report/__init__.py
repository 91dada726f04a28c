"""Self-contained HTML reports: of runs, comparisons, landscapes, members, texts, labels, slices. Trains nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import lazy

if TYPE_CHECKING:
    from .by_language import write_languages
    from .explained import write_explanations
    from .label_errors import write_label_errors
    from .landscape import write_landscape
    from .learning import write_learning
    from .members import write_members
    from .page import write
    from .scored import write_scored
    from .slices import write_slices

__all__ = [
    "write",
    "write_explanations",
    "write_label_errors",
    "write_landscape",
    "write_languages",
    "write_learning",
    "write_members",
    "write_scored",
    "write_slices",
]

lazy.package(__name__)
