"""How probable a text is where some of its tokens are not looked at: for every choice of neighbouring ones, from one forward and
one backward pass.

The places of the tokens stay, and each may hold any token but the end of a text: what is told is the probability of all texts
that long which agree elsewhere. In float64, scaled, whatever the chain's own precision.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .model import HmmModel

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int

Floats = NDArray[np.float64]


class Unseen(NamedTuple):
    """Log-probabilities in nats. A token of probability 0 says nothing but its block of states, and counts as probability 1.

    whole: of the text. without: with each group of tokens not looked at [G]. impossible: which tokens have probability 0 [T].
    """

    whole: float
    without: Float[Floats, "G"]
    impossible: Bool[NDArray[np.bool_], "T"]


def unseen(model: HmmModel, tokens: Sequence[int], groups: Int[NDArray[np.int64], "G 2"]) -> Unseen:
    """Read a text, all of its tokens and without some.

    Args:
        tokens: the text, the end too where it is to count.
        groups: tokens that are not looked at together: the first, and the one after the last.
    """
    _, *factors, emission = (table.double().cpu().numpy() for table in model.chain.tables())
    m, block = emission.shape[1], model.chain.block.cpu().numpy()
    firsts = (block[np.asarray(tokens, np.int64)] * m).tolist()
    before, says = [model.start()], list[Floats]()  # of each place: the states before its token is seen; what that says of them
    p = np.empty(len(tokens))
    for place, (token, first) in enumerate(zip(tokens, firsts, strict=True)):
        inside = before[-1][first : first + m]
        p[place] = inside @ emission[token]
        says.append(emission[token] if p[place] > 0 else np.full(m, 1 / (inside.sum() or 1)))
        before.append(model.advance(before[-1], token))
    known = np.concatenate([[0], np.log(np.where(p > 0, p, 1)).cumsum()])  # log p of what stands before each place
    after, rest = _backward(firsts, says, factors)
    seen = np.ones(model.chain.states)
    if model.ends:
        own = slice(int(block[model.vocabulary.end]) * m, (int(block[model.vocabulary.end]) + 1) * m)
        seen[own] -= emission[model.vocabulary.end]
    without = np.empty(len(groups))
    rows = zip(groups.tolist(), _skipped(np.stack(before), groups, seen, factors), strict=True)
    for group, ((first, last), states) in enumerate(rows):
        if last < len(tokens):
            states = states[firsts[last] : firsts[last] + m] * after[last]
        with np.errstate(divide="ignore"):
            without[group] = known[first] + np.log(states.sum()) + rest[last]
    return Unseen(float(known[-1]), without, p <= 0)


def _backward(firsts: Sequence[int], says: Sequence[Floats], factors: Sequence[Floats]) -> tuple[list[Floats], Floats]:
    """Of each place and each state of its block, the probability of the tokens from there on: ``after`` times exp(``rest``)."""
    after, rest = [np.ones(1)] * len(says), np.zeros(len(says) + 1)
    for place in range(len(says) - 1, -1, -1):
        here, m = says[place], len(says[place])
        if place + 1 < len(says):
            steps = [factors[0][firsts[place] : firsts[place] + m], *factors[1:]]
            steps[-1] = steps[-1][:, firsts[place + 1] : firsts[place + 1] + m]
            here = here * reduce(lambda states, step: step @ states, reversed(steps), after[place + 1])
        largest = float(here.max())
        if largest == 0:  # no way leads to what follows, which begins anew
            here = says[place] * after[place + 1].mean()
            largest = float(here.max())
        after[place], rest[place] = here / largest, rest[place + 1] + np.log(largest)
    return after, rest


def _skipped(
    before: Float[Floats, "places S"], groups: Int[NDArray[np.int64], "G 2"], seen: Float[Floats, "S"], factors: Sequence[Floats]
) -> Float[Floats, "G S"]:
    """The states at the place after each group, from those before it; ``seen``: what each emits there at all."""
    states, sizes = before[groups[:, 0]], groups[:, 1] - groups[:, 0]
    for step in range(sizes.max(initial=0)):
        going = sizes > step
        states[going] = reduce(np.matmul, factors, states[going] * seen)
    return states
