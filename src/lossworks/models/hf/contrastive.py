"""A pretrained encoder trained by a contrastive loss on the labels of few texts, as a family: its states, and a layer on top."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from torch import Tensor, nn

from ...core import domains
from ...data import Batch, Features
from ..base import models
from ..networks import TextModel
from ..neural.classifier import padded
from .classifier import POOLER
from .encoder import Encoder
from .frozen import HfFrozenSpec, HfStates
from .library import named
from .unpadded import prepared, without_padding

if TYPE_CHECKING:
    from jaxtyping import Float


@models.add(
    "hf_contrastive",
    source="Tunstall et al. 2022, arXiv:2209.11055 (SetFit: the two stages); Khosla et al. 2020, arXiv:2004.11362 (the loss)",
)
@dataclass(frozen=True, kw_only=True)
class HfContrastiveSpec(HfFrozenSpec):
    """States of a pretrained model of Hugging Face, trained by the labels first, and a linear layer on top; needs the extra hf.

    Spelled hf:PATH,contrastive or hf_contrastive:PATH. First every weight is trained by the loss supervised_contrastive, so that
    texts of one class are near to one another; the layer is then fitted to the mean states as those of hf:PATH,frozen are. For
    classes with few rows, where it is what hf:PATH becomes. Keys: those of hf_frozen; temperature, of the loss; steps, updates
    of at most 64 rows each, one epoch at least; lr, the learning rate of these updates (AdamW).
    """

    temperature: float = 0.1
    steps: int = 40
    lr: float = 5e-5

    def __post_init__(self) -> None:
        HfFrozenSpec.__post_init__(self)
        domains.count(self, "steps")
        domains.positive(self, "temperature", "lr")

    def features(self) -> Features:
        return ContrastedStates(self)


class ContrastedStates(HfStates):
    """The states that an encoder gives texts, which is trained by the labels before it reads any."""

    by_labels: ClassVar[bool] = True

    def __init__(self, spec: HfContrastiveSpec) -> None:
        HfStates.__init__(self, named(spec.path), spec.context, spec.dtype, spec.cut)
        self.spec = spec

    def follow(self, before: Features) -> None:
        """Nothing: other training rows make another encoder."""


class MeanStates(TextModel):
    """An encoder's mean states as a network to be trained, whose weights are the encoder's own."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder, self.model = encoder, encoder.model
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(not POOLER.fullmatch(name))
        table = self.model.get_input_embeddings()  # type: ignore[operator]
        if isinstance(table, nn.Embedding):
            table.sparse = True  # of a large table a step reads few rows
        self.unpadded = prepared(self.model)

    def forward(self, batch: Batch) -> Float[Tensor, "N size"]:
        ids, lengths = padded(batch, np.arange(len(batch)), self.encoder.device)
        unpadded = self.training and self.unpadded and ids.is_cpu
        with without_padding(self.model, lengths, ids.shape[1]) if unpadded else nullcontext():
            return self.encoder.mean(ids, lengths)
