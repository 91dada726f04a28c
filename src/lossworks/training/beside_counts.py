"""What an n-gram model of the same tokens reaches, for whoever trains a network on few of them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import metrics
from ..data import Ragged
from ..models import LanguageModel, build_language
from .language_metrics import logp_of

_SHARE = 0.03  # of the time of the fit, that this may take
_ONCE, _A_SECOND = 1.0, 2_000_000  # seconds until compiled code is loaded, and tokens that are counted in one then, about


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
    byte the network needs more (``difference``, the interval of the paired differences). Where that would take more than
    3 % of the fit's ``seconds`` there is but a ``note``.

    Args:
        model: the network. texts: in its tokens. test: the test part in them, in ``units``, of which the network says ``logp``.
        scratch: a folder for temporary files.
    """
    if _ONCE + (len(texts.ids) + len(test.ids)) / _A_SECOND > _SHARE * seconds:
        return {"note": f"No n-gram model was counted beside it: that takes more than {_SHARE:.0%} of the time of this fit."}
    began, spec = time.monotonic(), build_language("ngram")
    counted = spec.fit(texts, model.vocabulary, ends=model.ends, scratch=scratch)
    rival = logp_of(counted, test)
    apart = metrics.bits_between(units.sums(-logp), units.sums(-rival), units.bytes)
    return {
        "name": f"{spec.order}-gram model",  # type: ignore[attr-defined]
        "seconds": time.monotonic() - began,
        "metrics": {name: each.to_json() for name, each in metrics.surprisal(rival, units).items()},
        "difference": apart.to_json(),
    }
