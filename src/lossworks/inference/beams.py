"""The most probable continuations, found by beam search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import UsageError
from ..models.language import LanguageModel
from .generation import Sampling, check_tokens, never_drawn

_FURTHEST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Beams:
    """How to search: ``width`` texts at a time, judged by log-probability / length ** length_penalty, the end counted in both
    (Wu et al. 2016, arXiv:1609.08144, name the idea; the form is that of transformers). 0: by log-probability alone; above, the
    more the longer texts gain; -20 to 20.
    """

    width: int
    length_penalty: float = 1.0

    def __post_init__(self) -> None:
        if self.width < 1:
            raise UsageError(f"beam is {self.width}; wanted 1 or more.")
        if not -_FURTHEST <= self.length_penalty <= _FURTHEST:  # so that no power of a length is beyond a float
            raise UsageError(f"length_penalty is {self.length_penalty}; wanted a number from -{_FURTHEST} to {_FURTHEST}.")


def beam_search(
    model: LanguageModel, prompt: Sequence[int], tokens: int, beams: Beams, sampling: Sampling | None = None
) -> list[tuple[list[int], float]]:
    """The best continuations of ``prompt`` with up to ``tokens`` tokens, without their end, and their scores; best first.

    ``sampling``: what keeps texts from repeating themselves; nothing is drawn. At most ``beams.width`` of them; fewer where no
    more are possible.
    """
    check_tokens(tokens)
    sampling, masked, end = sampling or Sampling(), never_drawn(model), model.vocabulary.end
    begun = [model.vocabulary.start, *prompt]
    running: list[tuple[float, list[int], Any]] = [(0.0, [], model.read(prompt))]
    finished: list[tuple[list[int], float]] = []
    for length in range(1, tokens + 1):
        candidates: list[tuple[float, int, list[int], Any]] = []
        for total, text, state in running:
            logp = sampling.restrained(model.next(state), [*begun, *text])
            logp[masked] = -np.inf
            best = np.argsort(-logp, kind="stable")[: 2 * beams.width]
            candidates += [(total + logp[token], int(token), text, state) for token in best if logp[token] > -np.inf]
        candidates = sorted(candidates, key=lambda each: -each[0])[: 2 * beams.width]  # half of them may be ends
        following = []
        for place, (total, token, text, state) in enumerate(candidates):
            longer = text if token == end else [*text, token]
            if token != end and length < tokens:
                following.append((total, longer, token, state))
            elif place < beams.width:
                finished.append((longer, total / length**beams.length_penalty))
        finished = sorted(finished, key=lambda each: -each[1])[: beams.width]
        following = following[: beams.width]
        full = len(finished) == beams.width
        if not following or (full and following[0][0] / length**beams.length_penalty <= finished[-1][1]):
            break
        running = [(total, text, model.advance(state, token)) for total, text, token, state in following]
    return finished
