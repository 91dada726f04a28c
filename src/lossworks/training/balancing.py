"""Languages in training: how often the texts of each are drawn, and whether a risk compares them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import balances, risks
from ..core.errors import UsageError
from ..data import TRAIN, Corpus, Languages
from .allowed import BY_BOTH, BY_LABEL, BY_LANGUAGE
from .settings import Settings

Floats = NDArray[np.float64]


def check_languages(settings: Settings, corpora: Sequence[Corpus]) -> None:
    """Raise UsageError where something is asked for that needs the languages of rows, and they are not known."""
    if Languages.together(corpora) is not None:
        return
    for name in ("balance", "groups"):
        value = getattr(settings, name)
        if value is not None and (name, value) != ("groups", BY_LABEL):
            raise UsageError(
                f"--{name} {value} needs to know each row's language. Say where it stands: --language COLUMN, or --language file."
            )


def rates(
    balance: str | None, languages: Languages | None, parts: NDArray[np.uint8], sizes: Floats | None = None
) -> Floats | None:
    """How often each training text of each language is drawn in a pass [L]; None: once, all of them.

    Args:
        languages, parts: of all rows [N].
        sizes: what balances go by, of all rows [N]; None: every row counts the same.
    """
    if balance is None or languages is None:
        return None
    train = parts == TRAIN
    weights = None if sizes is None else sizes[train]
    amounts = np.bincount(languages.of_row[train], weights, len(languages.names)).astype(np.float64)
    there, found = amounts > 0, np.ones(len(amounts))
    found[there] = balances.build(balance).rates(amounts[there])
    return None if np.allclose(found, 1, rtol=1e-9) else found


def drawn(balance: str | None, languages: Languages | None, parts: NDArray[np.uint8], found: Floats | None) -> dict[str, Any]:
    """What the record says of a balance: of each language its training texts, how many a pass draws of them, and how often each
    is drawn, the most often drawn first; empty where there is none.
    """
    if balance is None or languages is None:
        return {}
    counts = np.bincount(languages.of_row[parts == TRAIN], minlength=len(languages.names)).tolist()
    repeats = np.ones(len(counts)) if found is None else found
    rows = [
        {
            "language": name,
            "rows": count,
            "drawn": max(1, round(count * rate)) if count else 0,
            "repeats": rate if count else None,
        }
        for name, count, rate in zip(languages.names, counts, repeats.tolist(), strict=True)
    ]
    return {"balance": {"spec": balance, "languages": sorted(rows, key=lambda row: (-(row["repeats"] or 0.0), row["language"]))}}


def group_count(settings: Settings, languages: Languages | None, labels: int) -> int:
    """How many groups a risk compares; ``labels``: the classes, 0 where there are none.

    Raises:
        UsageError: groups are named for a risk that compares none, or are of labels that are no classes.
    """
    risk, groups = risks.build(settings.risk or "mean"), settings.groups
    if groups is not None and not risk.grouped:
        raise UsageError(
            f"--groups {groups} is for a risk that compares groups, and the risk is {risks.render(risk)!r}. "
            "Choose --risk group_dro or worst_group, or leave --groups out."
        )
    if groups in (BY_LABEL, BY_BOTH) and not labels:
        raise UsageError(f"--groups {groups} compares classes, and the task has none. Say --groups language.")
    count = 0 if languages is None else len(languages.names)
    return {BY_LANGUAGE: count, BY_BOTH: count * labels}.get(groups or BY_LABEL, labels)
