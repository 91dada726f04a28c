"""Labels that training had not seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..core.errors import DataError

if TYPE_CHECKING:
    from ..data import Corpus


def refuse_unseen(corpus: Corpus, known: Sequence[str], sets: Sequence[tuple[str, ...]]) -> None:
    """Raise DataError where a row of a corpus, ``sets`` of labels [rows], has a label that is not ``known``."""
    familiar = set(known)
    strange = {labels for labels in set(sets) if not familiar.issuperset(labels)}
    if not strange:
        return
    rows = [row for row, labels in enumerate(sets) if labels in strange]
    label = next(label for label in sets[rows[0]] if label not in known)
    raise DataError(
        f"{corpus.place(rows[0])}: the label {label!r} was not seen in training ({len(rows):,} such rows). "
        f"Known: {', '.join(map(repr, known[:10]))}{' …' if len(known) > 10 else ''}. "
        "Correct or remove those rows, or fit again with the label among the training rows."
    )
