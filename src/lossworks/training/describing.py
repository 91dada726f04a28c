"""What the record says of the data: where it came from, its parts and labels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import PARTS, TEST, TRAIN, VALID, Corpus, Languages
from .dataset import Dataset


def of_corpora(corpora: Sequence[Corpus], parts: NDArray[np.uint8] | None) -> dict[str, Any]:
    """What is said whatever the task. ``parts``: of all rows, where they have any."""
    languages = None if parts is None else Languages.together(corpora)
    return {
        "source": ", ".join(dict.fromkeys(corpus.source for corpus in corpora)),
        "skipped": sum(corpus.skipped for corpus in corpora),
        "bad": [line for corpus in corpora for line in corpus.bad],
        "fingerprint": "+".join(corpus.fingerprint for corpus in corpora),
        "text_column": corpora[0].text_column,
        **form(corpora),
        **({} if languages is None or parts is None else {"languages": _by_language(languages, parts)}),
    }


def form(corpora: Sequence[Corpus]) -> dict[str, Any]:
    """The form that text was brought into, and how many texts were changed by it; nothing where it is read as it is."""
    if corpora[0].composed is None:
        return {}
    return {"normalize": "nfc", "composed": sum(corpus.composed or 0 for corpus in corpora)}


def _by_language(languages: Languages, parts: NDArray[np.uint8]) -> dict[str, dict[str, int]]:
    """How many rows of each language each part has."""
    return {
        language: {name: int((parts[rows] == part).sum()) for part, name in enumerate(PARTS)}
        for language, rows in languages.rows().items()
    }


def describe(data: Dataset) -> dict[str, Any]:
    """Of labelled rows."""
    return {
        **of_corpora(data.corpora, data.parts),
        "rows": len(data.parts),
        "fingerprint": fingerprint(data),
        "parts": {name: int((data.parts == part).sum()) for part, name in enumerate(PARTS)},
        "label_counts": data.label_counts(),
        "train_counts": data.train_counts(),
        "label_column": data.corpora[0].label_column,
        "label_sep": data.corpora[0].label_sep,
        "notes": data.notes,
        "leaked": leaked(data.corpora, data.parts),
        "task": data.task.kind,
        "labels": list(data.task.labels) or None,
    }


def fingerprint(data: Dataset) -> str:
    """Of all texts and labels, corpus by corpus, and of the weights of rows where there are any."""
    weights = [] if data.weight is None else [hashlib.blake2b(data.weight.tobytes(), digest_size=16).hexdigest()]
    return "+".join([*(corpus.fingerprint for corpus in data.corpora), *weights])


def leaked(corpora: Sequence[Corpus], parts: NDArray[np.uint8] | None) -> dict[str, int]:
    """How many validation and test texts, given as data of their own, stand word for word among the training texts."""
    if len(corpora) == 1 or parts is None:
        return {"valid": 0, "test": 0}
    keys = np.concatenate([corpus.keys for corpus in corpora])
    return {
        name: int(np.isin(keys[parts == part], keys[parts == TRAIN]).sum()) for name, part in (("valid", VALID), ("test", TEST))
    }
