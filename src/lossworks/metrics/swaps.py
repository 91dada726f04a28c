"""Whether the macro-F1 of two models differs on some texts, by exchanging their answers.

Where the models do not differ, each text's answers are as likely the one's as the other's: so they are swapped for texts drawn at
random, again and again (the paired randomization test; Yeh 2000, COLING, "More accurate tests for the statistical significance of
result differences"). It holds for few texts and rare labels, where F1 is too crooked for its linearisation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.seeds import generator
from .contrast import Floats

DRAWS = 9_999
_CHUNK = 1 << 20  # swaps drawn at once


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model answers to N rows: of each label whether it is named rightly (``hits`` [N, K]), and how often it is
    named, by the model and in truth (``named`` [N, K]), both times the row's weight.
    """

    hits: NDArray[Any]
    named: NDArray[Any]

    @classmethod
    def of(cls, said: NDArray[Any], truth: NDArray[Any], labels: int, weight: NDArray[Any] | None) -> Answers:
        """From classes [N], or from sets of labels [N, K]."""
        one = np.eye(labels, dtype=np.uint8)
        ours, theirs = (one[each.astype(np.int64)] if each.ndim == 1 else each.astype(np.uint8) for each in (said, truth))
        scale = np.uint8(1) if weight is None else weight.astype(np.float64)[:, None]
        return cls(ours * theirs * scale, (ours + theirs) * scale)


def swapped(one: Answers, other: Answers, rows: NDArray[np.int64], texts: NDArray[Any], seed: int = 0) -> float:
    """The two-sided p of no difference in macro-F1 on some ``rows``; those of one text (equal ``texts``) are swapped together."""
    number = np.unique(texts[rows], return_inverse=True)[1]
    both = [np.concatenate([of.hits[rows], of.named[rows]], 1).astype(np.float64) for of in (one, other)]
    whole = [each.sum(0) for each in both]
    moved = np.zeros((number.max() + 1, both[0].shape[1]))
    np.add.at(moved, number, both[1] - both[0])
    apart = abs(_macro(whole[1]) - _macro(whole[0])) * (1 - 1e-9)

    def reaches(which: Floats) -> NDArray[np.bool_]:
        by = which @ moved
        return np.abs(_macro(whole[0] + by) - _macro(whole[1] - by)) >= apart

    return _share(len(moved), reaches, seed)


def flipped(apart: Floats, seed: int = 0) -> float:
    """The two-sided p of no difference in a mean: ``apart`` [texts], what one model's loss is more than the other's in each,
    whose sign is flipped where the two are swapped.
    """
    apart = apart[apart != 0]
    reach = abs(apart.sum()) * (1 - 1e-9)
    return _share(len(apart), lambda which: np.abs((2 * which - 1) @ apart) >= reach, seed)


def _share(texts: int, reaches: Callable[[Floats], NDArray[np.bool_]], seed: int) -> float:
    """p: the share of draws that ``reaches`` says go as far as what was seen; a draw tells which texts are swapped, 0 or 1."""
    draw, reached, left = generator(seed, "swaps"), 0, DRAWS
    while left:
        some = min(left, max(1, _CHUNK // max(texts, 1)))
        left -= some
        reached += int(reaches(draw.integers(0, 2, (some, texts), np.int8).astype(np.float64)).sum())
    return (1 + reached) / (1 + DRAWS)


def _macro(sums: Floats) -> Floats:
    """Macro-F1 over the labels that occur, of sums [..., 2 K] of hits and namings."""
    hits, named = np.split(sums, 2, axis=-1)
    here = named > 1e-9  # what swaps took away leaves roundings
    f1 = np.divide(2 * hits, named, out=np.zeros_like(named), where=here)
    return np.asarray(f1.sum(-1) / np.maximum(here.sum(-1), 1))
