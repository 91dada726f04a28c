"""A network as training asks it: the scores of every token of a batch of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from ...scores import Scores, dense, fused
from .base import LanguageNetwork, valid

if TYPE_CHECKING:
    from jaxtyping import Int

_FEW = 1 << 20  # logits that may as well stand whole: for so few, chunks and tiles cost more than they save


class Predicting(nn.Module):
    """``network`` beside the mark that stands before every text."""

    def __init__(self, network: LanguageNetwork, start: int) -> None:
        super().__init__()
        self.network = network
        self.start = start

    def scores(self, ids: Int[Tensor, "B T"], lengths: Int[Tensor, "B"]) -> Scores:
        """Scores of every token of each row, given those before it: positions row by row, without the padding.

        Args:
            ids: texts as they are to be predicted, without their start, with their end where they have one; padded on the
                right by any token.
            lengths: how many tokens each row has, 1 or more.
        """
        given = ids.roll(1, 1)
        given[:, 0] = self.start
        kept = valid(lengths, ids.shape[1])
        hidden, target = self.network.hidden(given)[kept], ids[kept]
        classes = getattr(self.network.head, "out_features", None)
        if classes is not None and len(target) * classes <= _FEW:
            return dense(self.network.logits(hidden), target)
        return fused(hidden, self.network.head, target, softcap=self.network.softcap)
