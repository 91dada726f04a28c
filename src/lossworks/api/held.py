"""What trained models have in common as a user holds them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.errors import UsageError


class Held:
    """A trained model. ``record`` is what the run's ``run.json`` says; ``path`` is its directory, if it has one."""

    __slots__ = ()

    record: dict[str, Any]
    path: Path | None

    @property
    def metrics(self) -> dict[str, dict[str, float]]:
        """Metrics of the held-out test part, each ``{"value", "low", "high"}``; empty where nothing was held out."""
        metrics: dict[str, dict[str, float]] = self.record.get("result", {}).get("metrics", {})
        return metrics

    def was_trained_on(self, fingerprint: str) -> bool:
        """Whether the data with this fingerprint is, row for row, what ``fit`` was given to train or to validate on: its metrics
        then flatter the model.
        """
        told = str(self.record.get("data", {}).get("fingerprint", "")).split(
            "+"
        )  # of the data, and of held-out rows of their own
        return fingerprint in told[: 1 + isinstance(self.record.get("given", {}).get("valid"), str)]


def several(texts: Sequence[str]) -> Sequence[str]:
    """The texts, if they are texts, and several.

    Raises:
        UsageError: they are one text, or not text.
    """
    if isinstance(texts, str):
        raise UsageError(f"got one text, {texts[:40]!r}; wanted a list of texts.")
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise UsageError(f"text number {number + 1} is {text!r}, a {type(text).__name__}; wanted text.")
    return texts
