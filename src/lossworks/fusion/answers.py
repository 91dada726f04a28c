"""What sources say of the same positions, and what they would say with the link to the position cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ..core.errors import UsageError
from ..core.seeds import generator
from ..models.pool import Rule
from ..models.pool.weights import mixture, mixture_by_context, product

Floats = NDArray[np.float64]
At = Callable[[NDArray[np.int64]], Floats]

DRAWS = 5
"""Permutations of a source's answers that it is compared with."""
OFF = 1e-6
"""How far from 1 the probabilities of a source may sum to."""
_NUMBERS = 1 << 24  # of distributions, looked at together


@dataclass(frozen=True, slots=True)
class Said:
    """Of one source, log-probabilities of the outcomes [n], NaN where it is silent.

    permuted: the same if each position is answered as another one, drawn at random among those of which the source speaks
        [DRAWS, n]. order: whose answer each then has [DRAWS, n].
    mean: the logarithm of its mean distribution over all positions [V].
    outcomes: what happened [n].
    rows: its whole distributions [n, V], where the rule needs them.
    """

    targets: Floats
    permuted: Floats
    order: NDArray[np.int64]
    mean: Floats
    outcomes: NDArray[np.int64]
    rows: Floats | None

    @property
    def coverage(self) -> float:
        """The share of positions of which it speaks."""
        return float((~np.isnan(self.targets)).mean())

    def permutation(self, draw: int) -> Said:
        """The source with its link cut: its answers are those of other positions."""
        rows = None if self.rows is None else self.rows[self.order[draw]]
        return replace(self, targets=self.permuted[draw], rows=rows)

    def prior(self, mean: Floats) -> Said:
        """The source with its link cut: wherever it speaks it says ``mean``, which should come of other positions than these, for
        it may know what they have in common.
        """
        silent = np.isnan(self.targets)
        rows = None if self.rows is None else np.where(silent[:, None], np.nan, mean)
        return replace(self, targets=np.where(silent, np.nan, mean[self.outcomes]), rows=rows)


def hear(name: str, at: At, targets: NDArray[np.int64], outcomes: int, *, keep: bool, seed: int = 0) -> Said:
    """What a source says of all positions, in two passes over its distributions; where they are kept, in one.

    Args:
        name: of the source, for messages.
        at: from numbers of positions to distributions [n, V], as of ``LanguageModel.at``.
        targets: the outcomes [n]; outcomes: V.
        keep: whether whole distributions are kept. seed: of the permutations.

    Raises:
        UsageError: it is silent everywhere, or its probabilities do not sum to one: then it could say anything of the outcomes.
    """
    count, step = len(targets), max(1, _NUMBERS // outcomes)
    found, total, spoken = np.empty(count), np.zeros(outcomes), np.zeros(count, bool)
    kept = np.empty((count, outcomes)) if keep else None
    for first in range(0, count, step):
        rows = at(np.arange(first, min(first + step, count)))
        here = slice(first, first + len(rows))
        found[here] = np.take_along_axis(rows, targets[here, None], 1)[:, 0]
        spoken[here] = speaks = ~np.isnan(rows[:, 0])
        total += np.exp(rows[speaks]).sum(0)
        _check_sums(name, rows[speaks], np.flatnonzero(spoken[here]) + first)
        if kept is not None:
            kept[here] = rows
    if not spoken.any():
        raise UsageError(f"{name} is silent everywhere: it says nothing of any of the {count:,} positions. Leave it out.")
    order = _permutations(spoken, seed)
    permuted = np.empty((DRAWS, count))
    if kept is not None:
        permuted = kept[order, targets]
    else:
        asks = np.argsort(order, 1)  # the positions that are answered as each one
        for first in range(0, count, step):
            asked = np.arange(first, min(first + step, count))
            permuted[np.arange(DRAWS)[:, None], asks[:, asked]] = at(asked)[np.arange(len(asked)), targets[asks[:, asked]]]
    with np.errstate(divide="ignore"):
        return Said(found, permuted, order, np.log(total / spoken.sum()), targets, kept)


def fitted(
    kind: str, said: Sequence[Said], targets: NDArray[np.int64], size: Floats | None = None, *, by_context: bool = False
) -> Rule:
    """The rule of this kind that makes the outcomes most probable; arguments as of ``weights.product``."""
    if kind == "linear" and not by_context:
        return Rule("linear", mixture(np.stack([each.targets for each in said]), size))
    answers = stacked(said)
    return (
        product(answers, targets, size, by_context=by_context)
        if kind == "log_linear"
        else mixture_by_context(answers, targets, size)
    )


def pooled(rule: Rule, said: Sequence[Said], targets: NDArray[np.int64]) -> Floats:
    """log p of the outcomes by a pool [n]; where all sources are silent it is uniform, as of the model that the pool becomes."""
    if rule.kind == "linear" and rule.slopes is None:
        return rule.of_targets(np.stack([each.targets for each in said]), len(said[0].mean))
    return np.asarray(np.take_along_axis(rule.combine(stacked(said)), targets[:, None], 1)[:, 0])


def stacked(said: Sequence[Said]) -> Floats:
    """Whole distributions [S, n, V]."""
    return np.stack([each.rows for each in said if each.rows is not None])


def _check_sums(name: str, rows: Floats, positions: NDArray[np.int64]) -> None:
    off = np.abs(np.exp(logsumexp(rows, 1)) - 1) if len(rows) else np.zeros(1)
    if not (worst := float(off.max())) <= OFF:
        place = int(positions[int(np.argmax(np.nan_to_num(off, nan=np.inf)))])
        raise UsageError(
            f"the probabilities of {name} do not sum to one: at position {place} they are off by {worst:.3g}. What it says of "
            "the true outcome then means nothing, and a pool would take it for knowledge. Mend the source."
        )


def _permutations(spoken: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """DRAWS permutations of the positions [DRAWS, n] that move only those of which the source speaks."""
    order = np.tile(np.arange(len(spoken)), (DRAWS, 1))
    places = np.flatnonzero(spoken)
    for draw in range(DRAWS):
        order[draw, places] = generator(seed, "cut", draw).permutation(places)
    return order
