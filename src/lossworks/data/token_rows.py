"""Rows of tokens to be predicted, as a network over tokens gets them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from jaxtyping import Bool, Int
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class TokenRows:
    """B rows of at most T tokens.

    ids [B, T]: the tokens, padded on the right by any token.
    lengths [B]: how many tokens each row has, 1 or more.
    before [B]: the token that stands before each: the mark of a start or, of a row cut out of a text, the last one before it.
    starts [B, T]: where in a row another document begins, which knows nothing of what stands before it; None: a row is of one.
    languages [B, T]: of each token, by number; None: nobody asks.
    lanes [B]: of which of ``lane_count`` lanes each row is the continuation; None: each begins anew.
    """

    ids: Int[Tensor, "B T"]
    lengths: Int[Tensor, "B"]
    before: Int[Tensor, "B"]
    starts: Bool[Tensor, "B T"] | None = None
    lanes: Int[Tensor, "B"] | None = None
    lane_count: int = 0
    languages: Int[Tensor, "B T"] | None = None

    @classmethod
    def of(cls, ids: Int[Tensor, "B T"], lengths: Int[Tensor, "B"], start: int) -> TokenRows:
        """Whole texts, each with the mark ``start`` before it."""
        return cls(ids, lengths, torch.full_like(lengths, start))

    def to(self, device: torch.device) -> TokenRows:
        """The same rows on a device."""
        given = (self.starts, self.lanes, self.languages)
        starts, lanes, languages = (None if tensor is None else tensor.to(device) for tensor in given)
        ids, lengths, before = (tensor.to(device) for tensor in (self.ids, self.lengths, self.before))
        return TokenRows(ids, lengths, before, starts, lanes, self.lane_count, languages)

    @property
    def inside(self) -> Bool[Tensor, "B T"]:
        """Which places hold tokens."""
        return valid(self.lengths, self.ids.shape[1])

    @property
    def full(self) -> bool:
        """Whether there is no padding."""
        return bool((self.lengths == self.ids.shape[1]).all())

    @property
    def documents(self) -> Int[Tensor, "B T"] | None:
        """The number of the document that each token belongs to; None: a row is of one."""
        return None if self.starts is None else self.starts.cumsum(1)

    def given(self, start: int) -> Int[Tensor, "B T"]:
        """What stands before each token: the mark ``start`` before a document's first."""
        given = self.ids.roll(1, 1)
        given[:, 0] = self.before
        return given if self.starts is None else given.masked_fill(self.starts, start)


def valid(lengths: Int[Tensor, "B"], size: int) -> Bool[Tensor, "B T"]:
    """Which places of padded rows hold tokens."""
    return torch.arange(size, device=lengths.device) < lengths[:, None]


def along(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Steps [B, T] along rows of such lengths; padding repeats the last."""
    return np.minimum(np.arange(lengths.max(initial=1)), lengths[:, None] - 1)
