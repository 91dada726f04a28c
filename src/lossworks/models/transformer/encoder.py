"""A Transformer that reads a whole text, as a classifier or a regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..base import models
from ..neural import EncoderSpec, NeuralSpec
from .model import TransformerSpec


@models.add("transformer_encoder", source="Vaswani et al. 2017, NeurIPS, arXiv:1706.03762; its blocks: arXiv:2302.13971 (Llama)")
@dataclass(frozen=True, kw_only=True)
class TransformerEncoderSpec(EncoderSpec):
    """A Transformer over a text's tokens, each seeing all others, the mean of its last states, one layer to the outputs.

    Keys: layers; heads; dim; ffn, the width within the gated layer (none: 8/3 dim, to the nearest 16); window, how far a token
    sees to either side (none: all); dropout, on embeddings, on what each layer adds and on the mean; pooling, mean or first
    (the state of the start token); word_dropout, of whole tokens; context, tokens read of a text; tokens,
    words, chars, bytes or bpe; vocabulary, the most words or pieces; min_count, how often a word or character must occur; lower,
    of words.
    """

    layers: int = 1
    heads: int = 4
    dim: int = 128
    ffn: int | None = None
    window: int | None = None
    dropout: float = 0.3
    word_dropout: float = 0.4
    pooling: str = "mean"
    family: ClassVar[type[NeuralSpec]] = TransformerSpec
    optimizer: ClassVar[str] = "adamw:lr=0.001"
    epochs: ClassVar[int] = 30
    patience: ClassVar[int] = 3

    @property
    def last_dropout(self) -> float:
        return self.dropout
