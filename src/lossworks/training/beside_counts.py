"""What an n-gram model of the same tokens reaches, for whoever trains a network: the baseline beside that of unigrams."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..data import Ragged
from ..models import LanguageModel, build_language
from ..models.ngram import NgramSpec
from ..tokens import Vocabulary
from .language_metrics import logp_of

_FEW = 1_000_000  # tokens, that are always counted: half a second, and one until compiled code is loaded
_SHARE = 0.03  # of the time of a fit, that more of them may take
_A_SECOND = 2_000_000  # tokens that are counted in one, about


def beside_counts(
    model: LanguageModel,
    texts: Ragged,
    test: Ragged,
    units: metrics.SegmentCounts,
    logp: NDArray[np.float64],
    seconds: float,
    scratch: Path,
) -> dict[str, Any]:
    """An n-gram model with our defaults, fitted on the training ``texts``, on the test part: its metrics, and by how many bits a
    byte the network needs more (``difference``, the interval of the paired differences). Where ``too_long`` says so there is but
    a ``note``.

    Args:
        model: the network. texts: in its tokens. test: the test part in them, in ``units``, of which the network says ``logp``.
        scratch: a folder for temporary files.
    """
    if note := too_long(len(texts.ids) + len(test.ids), seconds):
        return {"note": note}
    began = time.monotonic()
    name, counted = count(texts, model.vocabulary, model.ends, scratch)
    rival = logp_of(counted, test)
    apart = metrics.bits_between(units.sums(-logp), units.sums(-rival), units.bytes)
    return {
        "name": name,
        "seconds": time.monotonic() - began,
        "metrics": {name: each.to_json() for name, each in metrics.surprisal(rival, units).items()},
        "difference": apart.to_json(),
    }


def too_long(tokens: int, seconds: float = 0.0) -> str:
    """Why so many tokens are not counted beside a training of ``seconds``; empty where they are."""
    if tokens <= max(_FEW, _A_SECOND * _SHARE * seconds):
        return ""
    return f"No n-gram model was counted beside it: {tokens:,} tokens take longer than a moment. --model ngram counts them."


def count(texts: Ragged, vocabulary: Vocabulary, ends: bool, scratch: Path) -> tuple[str, LanguageModel]:
    """An n-gram model of texts with our defaults, and what it is called."""
    spec = build_language("ngram")
    assert isinstance(spec, NgramSpec)
    return f"{spec.order}-gram model", spec.fit(texts, vocabulary, ends=ends, scratch=scratch)
