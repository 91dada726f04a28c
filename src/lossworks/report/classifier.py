"""The page in which a classifier answers a text as it is typed."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from .frame import rendered


def classifier_page(name: str, facts: Sequence[str], script: str, *, numbers: bool) -> str:
    """The page around a ``script`` that has ``labels`` and ``predict(text)``; ``numbers``: it answers with numbers."""
    return rendered("classifier.html", {"name": name, "facts": facts, "script": Markup(script), "numbers": numbers})
