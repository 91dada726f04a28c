"""Texts of one set that stand in another, word for word or nearly."""

from __future__ import annotations

from .near import Near, Pairs
from .texts import Texts


def leaks(train: Texts, test: Texts, near: Near | None = None) -> Pairs:
    """Every pair of a test text (``rows``) and a training text (``of``) that are the same (likeness 1) or nearly so.

    Whoever would rather leave out training texts takes the different ``of``; whoever leaves out test texts, the different ``rows``.
    Normalise the texts first.
    """
    raise NotImplementedError
