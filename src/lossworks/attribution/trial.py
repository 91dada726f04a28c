"""Whether an explanation may be believed: its shares must foretell what random deletions do to the quantity, and better than the
shares of a model whose weights were shuffled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..core.seeds import generator
from ..evidence.statistics import LEVEL
from .explanation import Division, Trial
from .texts import Texts

if TYPE_CHECKING:
    from jaxtyping import Float

DELETIONS = 64
_PERMUTATIONS = 999


def judge(texts: Texts, divisions: Sequence[Division], control: Sequence[Division], seed: int = 0) -> list[Trial]:
    """A verdict on each text's shares. ``control``: shares found in the same way under a model with shuffled weights."""
    kept = [_deletions(~texts.fixed(number), seed, number) for number in range(len(texts))]
    trials = []
    for number, (rows, values) in enumerate(zip(kept, texts.values(kept), strict=True)):
        lost = divisions[number].value - values
        trials.append(_judge(lost, ~rows, divisions[number].shares, control[number].shares, texts.sizes(number), seed))
    return trials


def _deletions(free: NDArray[np.bool_], seed: int, number: int) -> NDArray[np.bool_]:
    """Random choices of what to keep [deletions, "P"]: a half of the parts to one of them is deleted."""
    draw, parts = generator(seed, "deletions", number), np.flatnonzero(free)
    kept = np.ones((DELETIONS, len(free)), np.bool_)
    for row in kept:
        size = int(draw.integers(1, max(2, len(parts) // 2 + 1))) if len(parts) else 0
        row[draw.choice(parts, size, replace=False)] = False
    return kept


def _judge(
    lost: Float[NDArray[np.float64], "M"],
    deleted: NDArray[np.bool_],
    shares: Float[NDArray[np.float64], "P"],
    control: Float[NDArray[np.float64], "P"],
    sizes: Float[NDArray[np.float64], "P K"],
    seed: int,
) -> Trial:
    size = _basis(deleted @ sizes)
    lost = _beside(size, lost)
    found = _correlation(_beside(size, deleted @ shares), lost)
    if np.isnan(found):
        return Trial("not shown", "There is nothing to test: the shares, or what deletions do, are all alike.")
    draw = generator(seed, "permutations")
    by_chance = np.array([_correlation(_beside(size, deleted @ draw.permutation(shares)), lost) for _ in range(_PERMUTATIONS)])
    above = (1 + int((by_chance >= found - 1e-12).sum())) / (1 + _PERMUTATIONS)
    below = (1 + int((by_chance <= found + 1e-12).sum())) / (1 + _PERMUTATIONS)
    other = _correlation(_beside(size, deleted @ control), lost)
    facts = {"correlation": found, "p": above, "control": None if np.isnan(other) else other, "deletions": len(lost)}
    if below <= LEVEL / 2:
        return Trial("do not trust", "Deletions do the opposite of what the shares say.", facts)
    if above <= LEVEL / 2 and not other >= found:
        return Trial("trust", "The shares foretell what random deletions do.", facts)
    return Trial("not shown", "The shares foretell deletions no better than chance.", facts)


def _basis(size: Float[NDArray[np.float64], "M K"]) -> Float[NDArray[np.float64], "M k"]:
    """Orthonormal columns that span all linear functions of the size of what is deleted."""
    left, strengths, _ = np.linalg.svd(np.column_stack([np.ones(len(size)), size]), full_matrices=False)
    return np.asarray(left[:, strengths > 1e-9 * strengths[0]])


def _beside(basis: Float[NDArray[np.float64], "M k"], values: Float[NDArray[np.float64], "M"]) -> Float[NDArray[np.float64], "M"]:
    """What of the values is no linear function of the size of what is deleted."""
    rest = values - basis @ (basis.T @ values)
    return np.where(np.abs(rest) > 1e-9 * np.abs(values).max(initial=0.0), rest, 0.0)


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b = a - a.mean(), b - b.mean()
        return float(a @ b / np.sqrt((a @ a) * (b @ b)))
