"""The supervised contrastive loss: rows of one label are to be nearer to one another than to all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..core import domains
from ..core.errors import UsageError
from .base import losses
from .embedding import EmbeddingLoss, check_rows

if TYPE_CHECKING:
    from jaxtyping import Float, Shaped


@losses.add(
    "supervised_contrastive",
    source="Khosla et al. 2020, arXiv:2004.11362, eq. 2 (L_out); texts: Gunel et al. 2021, arXiv:2011.01403",
)
@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisedContrastive(EmbeddingLoss):
    """-mean of log softmax_j(cosine(anchor_i, key_j) / temperature) over the keys j ≠ i of i's label.

    Keys are the anchors themselves, or other views of the same rows, of which a row's own counts as no key. The rows of a batch
    do not stand alone: ``contrasts(states, states, labels).mean()`` is the loss of a batch of states, one label each.
    Domain: temperature > 0.
    Limit: a row that is the only one of its label costs nothing. N rows that are all alike lose log(N - 1).
    """

    temperature: float = 0.1

    def __post_init__(self) -> None:
        domains.positive(self, "temperature")

    def contrasts(
        self, anchors: Float[Tensor, "N d"], keys: Float[Tensor, "N d"], labels: Shaped[Tensor, "N"], /
    ) -> Float[Tensor, "N"]:
        check_rows("supervised_contrastive", anchors, keys=keys)
        if labels.shape != anchors.shape[:1]:
            raise UsageError(f"supervised_contrastive: got labels {tuple(labels.shape)} for {len(anchors)} rows. Give one a row.")
        alike = normalize(anchors, dim=-1) @ normalize(keys, dim=-1).T / self.temperature
        own = torch.eye(len(anchors), dtype=torch.bool, device=anchors.device)
        logp = alike.masked_fill(own, torch.finfo(alike.dtype).min).log_softmax(1)  # not -inf: one row alone has no key
        positive = (labels[:, None] == labels) & ~own
        return -logp.masked_fill(~positive, 0.0).sum(1) / positive.sum(1).clamp(min=1)

    def of_triple(
        self, anchor: Float[Tensor, "1 d"], near: Float[Tensor, "1 d"], apart: Float[Tensor, "1 d"]
    ) -> Float[Tensor, "1"]:
        every = torch.cat([anchor, near, apart])
        return self.contrasts(every, every, torch.tensor([0, 0, 1], device=every.device))[:1]
