"""Which block of states emits each token: tokens that one state of a small chain would emit belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...core.errors import UsageError
from .chain import Chain

if TYPE_CHECKING:
    from numpy.typing import NDArray


def blocks_of_tokens(chain: Chain, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The block of each token [V]: the state of ``chain``, one a block, that most of its occurrences are emitted by.

    A state that no token is sorted to gets every other token of the block that occurs most often.

    Args:
        counts: of the tokens; below 0 for those never emitted, which stand in block 0.

    Raises:
        UsageError: there are more blocks than tokens.
    """
    emitted = counts >= 0
    if emitted.sum() < chain.states:
        raise UsageError(f"got {chain.states} blocks for {emitted.sum()} tokens. Give fewer blocks.")
    share = chain.emission.double() * chain.occupancy()
    block = np.where(emitted, share.argmax(1).cpu().numpy(), -1)
    weight = np.where(emitted, counts + 1, 0)
    for empty in set(range(chain.states)) - set(block.tolist()):
        sizes = np.bincount(block[emitted], minlength=chain.states)
        mass = np.bincount(block[emitted], weight[emitted], chain.states)
        tokens = np.flatnonzero(block == np.where(sizes > 1, mass, -1).argmax())
        block[tokens[np.argsort(-weight[tokens], kind="stable")][1::2]] = empty
    return np.maximum(block, 0)
