"""Why a hidden Markov model gives a token its probability: the state it most probably came from, and what that state says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data import Ragged

if TYPE_CHECKING:
    from .model import HmmModel

_SAID = 5


def explain(model: HmmModel, text: Sequence[int]) -> list[dict[str, Any]]:
    """One dict for each position of a text.

    token: its number; ``probability``, given what stands before it.
    state: of the most probable way through the whole text (Viterbi); ``posterior``: that state's probability given the text.
    says: the tokens that the state emits most probably.
    """
    one = Ragged(np.asarray(text, np.uint32), np.array([0, len(text)]))
    states, posterior, top = model.viterbi(one), model.posteriors(one), model.top_tokens(_SAID)
    columns = zip(model.targets(one), np.exp(model.logp(one)), states, posterior, strict=True)
    return [
        {"token": int(token), "probability": float(p), "state": int(s), "posterior": float(row[s]), "says": top[s].tolist()}
        for token, p, s, row in columns
    ]
