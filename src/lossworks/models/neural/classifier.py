"""Classes, labels and numbers by an encoder: a text's tokens, one vector of them, one layer to the outputs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...core import domains
from ...core.errors import UsageError
from ...core.seeds import first_weights
from ...data import Batch, Features, OrderedFeatures, along
from ...tokens import TokenizerSpec, tokenizers
from ...tokens.base import SPECIALS
from ..base import MICRO, ModelSpec
from ..networks import TextModel
from .network import TextEncoder
from .spec import NeuralSpec

if TYPE_CHECKING:
    from jaxtyping import Float, Int

_AT_ONCE = 16_384  # tokens worked on at once, padding included


@dataclass(frozen=True, kw_only=True)
class EncoderSpec(ModelSpec):
    """What classifiers by an encoder have in common: how they read a text.

    Keys: tokens, the kind of tokenizer; of its keys, vocabulary, the most tokens there are (of words and bpe), min_count, how
    often one must occur in the training texts (of words and chars), and lower, whether words are read in lower case; context, how
    many tokens of a text are read; word_dropout, of them while training.
    """

    tokens: str = "words"
    vocabulary: int = 20_000
    min_count: int = 2
    lower: bool = True
    context: int = 256
    word_dropout: float = 0.0
    family: ClassVar[type[NeuralSpec]]
    """Of the encoder."""

    def __post_init__(self) -> None:
        if self.context < 2:
            raise UsageError(f"context is {self.context}; wanted 2 or more: the start token, and a token.")
        domains.share(self, "word_dropout")
        self._tokenizer()
        self.body()

    @property
    def micro_batch(self) -> int:
        return rows_at_once(self.context)

    def features(self) -> Features:
        return OrderedFeatures(self._tokenizer(), self.context)

    def network(self, features: int, outputs: int, seed: int) -> TextModel:
        encoder = self.body().encoder(features, seed)
        with first_weights(seed):
            return Classifier(encoder, outputs, self.last_dropout, self.word_dropout)

    def body(self) -> NeuralSpec:
        """The spec of the encoder, with those of our keys that it has.

        Raises:
            UsageError: a key is outside its domain.
        """
        ours = {field.name: getattr(self, field.name) for field in fields(self)}
        return self.family(**{field.name: ours[field.name] for field in fields(self.family) if field.name in ours})

    @property
    @abstractmethod
    def last_dropout(self) -> float:
        """Of the text's vector."""

    def _tokenizer(self) -> TokenizerSpec:
        """The tokenizer of that kind, with those of our keys that it has."""
        kind = tokenizers[self.tokens].thing
        if self.vocabulary <= len(SPECIALS):
            raise UsageError(f"vocabulary is {self.vocabulary}; wanted {len(SPECIALS) + 1} or more.")
        ours = {
            "min_count": self.min_count,
            "lower": self.lower,
            "max_size": self.vocabulary - len(SPECIALS),
            "size": self.vocabulary,
        }
        return kind(**{field.name: ours[field.name] for field in fields(kind) if field.name in ours})


class PaddedModel(TextModel):
    """A network over the tokens of texts as padded rows.

    head: the last layer, whose outputs are the network's.
    """

    head: nn.Linear

    @property
    @abstractmethod
    def table(self) -> nn.Module:
        """What turns tokens into their vectors, once a pass."""

    def forward(self, batch: Batch) -> Float[Tensor, "N outputs"]:
        """All texts at once where there is a gradient; otherwise those of like length together, a bounded number at once."""
        if torch.is_grad_enabled():
            return self.outputs(*padded(batch, np.arange(len(batch)), self.head.weight.device))
        found = self.head.weight.new_empty(len(batch), self.head.out_features)
        for rows in alike(batch):
            found[rows] = self.outputs(*padded(batch, rows, found.device))
        return found

    @abstractmethod
    def outputs(self, ids: Int[Tensor, "B T"], lengths: Int[Tensor, "B"]) -> Float[Tensor, "B outputs"]:
        """The same of padded rows. ``ids`` are padded on the right by any token; ``lengths`` are 1 or more."""


class Classifier(PaddedModel):
    """Encoder → dropout → one layer to the outputs, whose first weights are small.

    While training, ``word_dropout`` of the tokens are read as token 0, which is no text in any tokenizer of ours but the unknown
    word or the start token (Iyyer et al. 2015, ACL, section 3, where they are left out).
    """

    def __init__(self, encoder: TextEncoder, outputs: int, dropout: float, word_dropout: float = 0.0) -> None:
        super().__init__()
        self.encoder, self.word_dropout = encoder, word_dropout
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(encoder.dim, outputs)
        begin_small(self.head)

    @property
    def table(self) -> nn.Module:
        return self.encoder.table

    def outputs(self, ids: Int[Tensor, "B T"], lengths: Int[Tensor, "B"]) -> Float[Tensor, "B outputs"]:
        if self.training and self.word_dropout:
            ids = ids * torch.bernoulli(torch.full(ids.shape, 1 - self.word_dropout, device=ids.device)).long()
        found: Tensor = self.head(self.dropout(self.encoder(ids, lengths)))
        return found


def begin_small(head: nn.Linear) -> None:
    """Draw the first weights of a last layer."""
    nn.init.normal_(head.weight, std=0.02)
    if head.bias is not None:
        nn.init.zeros_(head.bias)


def rows_at_once(context: int) -> int:
    """Rows of a micro-batch that memory has room for, were each as long as the context."""
    return min(MICRO, max(1, _AT_ONCE // context))


def alike(batch: Batch, at_once: int | None = None) -> Iterator[NDArray[np.int64]]:
    """The rows of a batch, those of like length together: of as many as ``at_once`` tokens with their padding, or one."""
    most = _AT_ONCE if at_once is None else at_once
    lengths = np.diff(batch.offsets)
    order = np.argsort(-lengths, kind="stable")
    first = 0
    while first < len(order):
        count = max(1, most // int(lengths[order[first]]))
        yield order[first : first + count]
        first += count


def padded(batch: Batch, rows: NDArray[np.int64], device: torch.device) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B"]]:
    """The tokens of some rows, 1 or more each, padded on the right by any, and how many each has."""
    lengths = batch.offsets[rows + 1] - batch.offsets[rows]
    ids: NDArray[Any] = batch.ids[batch.offsets[rows][:, None] + along(lengths)].astype(np.int64)
    return torch.from_numpy(ids).to(device), torch.from_numpy(lengths).to(device)
