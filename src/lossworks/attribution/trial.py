"""Whether an explanation may be believed: what its shares foretell of random deletions, beside what happens.

As many parts each time are deleted at random. The sum of their shares foretells how much the quantity loses. Asked for is the
order, by the rank correlation of the two, which no one large share settles, nor the unit; and the amount, by the share of the
variance that is foretold without any fitting, R², which a large share may settle, but not a wrong unit. They are set beside

- that of the same shares on other parts: a permutation test, exact whatever the shares are;
- that of shares found in the same way for models that know nothing of what was learned, with their weights shuffled;
- that with what the same deletions do to each other label: shares of the wrong label foretell that label better;
- and a mark below which shares tell too little to be of use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from math import comb, factorial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.seeds import generator
from ..metrics.intervals import mean, ratio
from .deletion import MOST
from .explanation import Division, Trial, finite
from .ranks import beside, interval, standard_ranks
from .texts import Texts, blocks
from .verdict import verdict

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

DELETIONS = 64
"""Of a text at most; each takes a reading."""
DELETED = 0.25
"""Of the parts in one, and two at least: so few that effects nearly add up, and more than leave-one-out has seen."""
FEWEST = 5
"""Parts: what fewer foretell is foretold in some other order by chance too often."""
_PERMUTATIONS = 199
_AT_ONCE = 4096  # readings of texts
_ROUNDING = 1e-6  # of a quantity's size: what single precision leaves open


def judge(texts: Texts, divisions: Sequence[Division], controls: Sequence[Sequence[Division]], seed: int = 0) -> list[Trial]:
    """A verdict on each text's shares.

    Args:
        texts: read once for each deletion.
        divisions: the shares of each text.
        controls: those found in the same way under models that know nothing of what was learned: for each model, of each text.
        seed: of deletions and permutations, which depend on it and on the text, whatever other texts there are.
    """
    kept = [_kept(texts, number, divisions[number].shares, seed) for number in range(len(texts))]
    trials: list[Trial] = []
    for first, last in blocks([len(rows) for rows in kept], _AT_ONCE):
        for number, (values, others) in enumerate(texts.some(first, last).readings(kept[first:last]), first):
            given = [each[number] for each in (divisions, *controls)]
            trials.append(verdict(_Tried(texts, number, seed, ~kept[number], given, values, others).facts()))
    return trials


def _kept(texts: Texts, number: int, shares: NDArray[np.float64], seed: int) -> Bool[NDArray[np.bool_], "M P"]:
    """What random deletions of as many parts each leave of a text, or all there are where they are few; the last is that of the
    parts with the largest shares.
    """
    parts = np.flatnonzero(~texts.fixed(number))
    if not FEWEST <= len(parts) <= MOST:
        return np.ones((0, len(shares)), np.bool_)
    size = max(2, round(len(parts) * DELETED))
    if comb(len(parts), size) <= DELETIONS:
        chosen = np.array(list(combinations(range(len(parts)), size)))
    else:  # twice as many as are wanted, for some are drawn twice
        places = generator(seed, "deletions", texts.texts[number]).random((2 * DELETIONS, len(parts)))
        drawn = np.sort(places.argpartition(size)[:, :size])
        chosen = drawn[np.sort(np.unique(drawn, axis=0, return_index=True)[1])[:DELETIONS]]
    largest = np.argsort(-shares[parts], kind="stable")[:size]
    kept = np.ones((len(chosen) + 1, len(shares)), np.bool_)
    np.put_along_axis(kept, parts[np.concatenate([chosen, largest[None]])], False, 1)
    return kept


@dataclass(frozen=True, slots=True)
class _Tried:
    """One text's deletions and readings. given: the explanation, and those of the controls. others: readings of other labels."""

    texts: Texts
    number: int
    seed: int
    deleted: Bool[NDArray[np.bool_], "M P"]
    given: Sequence[Division]
    values: Float[NDArray[np.float64], "M"]
    others: dict[str, Float[NDArray[np.float64], "M"]]

    def facts(self) -> dict[str, Any]:
        """What the verdict is made of."""
        shares = self.given[0].shares
        found: dict[str, Any] = {"deletions": max(0, len(self.values) - 1), "unit": self.texts.described(self.number)[1]}
        if len(self.values) == 0 or not np.isfinite(shares).all():
            return found | {"nothing": "infinite" if len(self.values) else "many" if len(shares) > MOST else "few"}
        happened, foretold = self.of_values(self.values), self.of_shares(shares)
        if not happened.any() or not foretold.any():
            return found | {"nothing": "shares" if happened.any() else "effects"}
        correlation = float(foretold @ happened)
        low, high = interval(correlation, len(happened))
        controls = self.of_shares(np.array([each.shares for each in self.given])) @ happened
        others = self.of_values(np.array([self.values, *self.others.values()])) @ foretold
        return found | {
            "parts": int(self.deleted[-1].sum()),
            "correlation": correlation,
            "low": low,
            "high": high,
            **self.amount(),
            **self.chance(happened, correlation),
            "controls": controls[1:].tolist(),
            "others": dict(zip(self.others, others[1:].tolist(), strict=True)),
            **self.lost(),
        }

    def of_values(self, values: Float[NDArray[np.float64], "*N M"]) -> Float[NDArray[np.float64], "*N m"]:
        """Ranks of what a quantity loses with each random deletion."""
        size = np.abs(np.where(np.isfinite(values), values, 0)).max(-1, keepdims=True)
        return standard_ranks(self._apart(-values[..., :-1]), _ROUNDING * size)

    def of_shares(self, shares: Float[NDArray[np.float64], "*N P"]) -> Float[NDArray[np.float64], "*N m"]:
        """Ranks of what shares foretell of each."""
        return standard_ranks(self._apart(shares @ self.deleted[:-1].T))

    def chance(self, happened: Float[NDArray[np.float64], "m"], correlation: float) -> dict[str, float]:
        """What the same shares on other parts foretell on average, and how often as much: of all arrangements, or of some at
        random and this one.
        """
        parts, shares = np.flatnonzero(~self.texts.fixed(self.number)), self.given[0].shares
        whole = factorial(len(parts)) <= _PERMUTATIONS
        if whole:
            orders = np.array(list(permutations(range(len(parts)))))
        else:
            draw = generator(self.seed, "permutations", self.texts.texts[self.number])
            orders = draw.permuted(np.tile(np.arange(len(parts)), (_PERMUTATIONS, 1)), axis=1)
        other = np.tile(shares, (len(orders), 1))
        other[:, parts] = shares[parts][orders]
        found = self.of_shares(other) @ happened
        reached, this = int((found >= correlation - 1e-9).sum()), 0 if whole else 1
        return {"chance": float(found.mean()), "p": (reached + this) / (len(orders) + this)}

    def amount(self) -> dict[str, float | None]:
        """R², 1 - Σ (lost - foretold)² / Σ (lost - mean)², with its interval; the mean is of what the size foretells."""
        with np.errstate(invalid="ignore"):
            lost = (self.given[0].value - self.values)[:-1]
            missed = lost - self.given[0].shares @ self.deleted[:-1].T
            left = ratio(missed**2, beside(self._sizes(), lost) ** 2)
        return {"amount": finite(1 - left.value), "amount_low": finite(1 - left.high), "amount_high": finite(1 - left.low)}

    def lost(self) -> dict[str, float | None]:
        """What the quantity loses with the parts of largest shares, and with as many random ones: the mean and its interval."""
        with np.errstate(invalid="ignore"):
            lost = self.given[0].value - self.values
            random = mean(lost[:-1], np.ones(len(lost) - 1))
        told = {"top": float(lost[-1]), "random": random.value, "random_low": random.low, "random_high": random.high}
        return {name: finite(value) for name, value in told.items()}

    def _apart(self, values: Float[NDArray[np.float64], "*N m"]) -> Float[NDArray[np.float64], "*N m"]:
        """Less what follows from the size of what is deleted."""
        return beside(sizes, values) if (sizes := self._sizes()).shape[1] else values

    def _sizes(self) -> Float[NDArray[np.float64], "m K"]:
        """Of what each random deletion deletes."""
        return self.deleted[:-1] @ self.texts.sizes(self.number)
