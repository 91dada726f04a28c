"""Forward and backward over many texts at once: one matrix product a step. For tables in one block, on any device.

Scaled as in Rabiner 1989, section V.A: ``alpha`` of a row is the distribution of its state given the text so far, ``scale``
the probability of its token given those before it.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .chain import Chain
from .packing import Segment

if TYPE_CHECKING:
    from jaxtyping import Float


def forward(chain: Chain, segment: Segment, alpha: Float[Tensor, "n S"], scale: Float[Tensor, "n"]) -> None:
    """Fill ``alpha`` and ``scale``; of a known first step ``alpha`` stands there already.

    A token of probability 0 has ``scale`` 0 and tells nothing of its state: it is as if it had not been seen.
    """
    for number in range(int(segment.known), len(segment)):
        rows = segment.step(number)
        here, total = alpha[rows], scale[rows]
        if number:
            before = segment.step(number - 1).start
            predicted = chain.step(alpha[before : before + len(here)])
        else:
            predicted = chain.start.expand_as(here)
        torch.index_select(chain.emission, 0, segment.ids[rows], out=here)
        here.mul_(predicted)
        torch.sum(here, 1, out=total)
        if bool(total.all()):
            here.div_(total[:, None])
        else:
            torch.where((total > 0)[:, None], here / total[:, None], predicted, out=here)


def backward(
    chain: Chain,
    segment: Segment,
    alpha: Float[Tensor, "n S"],
    scale: Float[Tensor, "n"],
    weight: Float[Tensor, "n S"],
    gamma: Float[Tensor, "n S"],
    after: tuple[Float[Tensor, "B S"], Tensor] | None,
) -> None:
    """Fill ``gamma``, the distribution of each row's state given the whole text, and ``weight``, of which a transition i → j
    into a row has the probability alpha_i A_ij weight_j.

    Args:
        after: ``weight`` of the step that follows the segment's last, and its tokens.
    """
    smallest = torch.finfo(alpha.dtype).tiny
    impossible = scale == 0
    some_impossible, some_small = bool(impossible.any()), bool(alpha.amin() < smallest)
    divisor = scale.masked_fill(impossible, 1)[:, None]
    backwards = [factor.T for factor in reversed(chain.factors)]
    later = None if after is None else after[0]
    for number in range(len(segment) - 1, int(segment.known) - 1, -1):
        rows = segment.step(number)
        beta, here = gamma[rows], weight[rows]
        going_on = 0 if later is None else len(later)
        if later is not None:
            torch.mm(reduce(torch.mm, backwards[:-1], later), backwards[-1], out=beta[:going_on])
        beta[going_on:] = 1
        torch.index_select(chain.emission, 0, segment.ids[rows], out=here)
        if some_impossible:
            here.masked_fill_(impossible[rows][:, None], 1)
        here.mul_(beta).div_(divisor[rows])
        if some_small:  # what is impossible by now would grow without bound
            here.masked_fill_(alpha[rows] < smallest, 0)
        beta.mul_(alpha[rows])
        later = here
