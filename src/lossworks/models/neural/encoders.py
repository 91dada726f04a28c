"""A Transformer and a recurrent network that read a whole text, as classifiers and regressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..base import models
from .base import NeuralSpec
from .classifier import EncoderSpec
from .rnn import RnnSpec
from .transformer import TransformerSpec


@models.add("transformer_encoder", source="Vaswani et al. 2017, NeurIPS, arXiv:1706.03762; its blocks: arXiv:2302.13971 (Llama)")
@dataclass(frozen=True, kw_only=True)
class TransformerEncoderSpec(EncoderSpec):
    """A Transformer over a text's tokens, each seeing all others, the mean of its last states, one layer to the outputs.

    Keys: layers; heads; dim; ffn, the width within the gated layer (none: 8/3 dim, to the nearest 16); window, how far a token
    sees to either side (none: all); dropout, on embeddings, on what each layer adds and on the mean; pooling, mean or first
    (the state of the mark that each text begins with); word_dropout, of whole tokens; context, tokens read of a text; tokens,
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
    optimizer: ClassVar[str] = "adamw:lr=0.001"
    epochs: ClassVar[int] = 30
    patience: ClassVar[int] = 3

    def body(self) -> NeuralSpec:
        return TransformerSpec(
            layers=self.layers,
            heads=self.heads,
            dim=self.dim,
            ffn=self.ffn,
            window=self.window,
            context=self.context,
            dropout=self.dropout,
            pooling=self.pooling,
        )

    @property
    def last_dropout(self) -> float:
        return self.dropout


@models.add("rnn_encoder", source="Graves & Schmidhuber 2005, Neural Networks 18; dropout: Merity et al. 2018, arXiv:1708.02182")
@dataclass(frozen=True, kw_only=True)
class RnnEncoderSpec(EncoderSpec):
    """An LSTM or GRU over a text's tokens from both sides, the mean of its states, one layer to the outputs.

    Keys: cell, lstm or gru; layers; dim, of embeddings and of each side's last states; hidden, of each side in the layers before
    (none: dim); weight_drop, of recurrent weights; dropout, between layers and at the end; input_dropout, on embeddings;
    embedding_dropout, of words as a whole, wherever they stand in a batch; word_dropout, of single tokens; pooling, mean or last
    (each side's own); context, tokens read of a text; tokens, words, chars, bytes or bpe; vocabulary, the most words or pieces;
    min_count, how often a word or character must occur; lower, of words.
    """

    cell: str = "gru"
    layers: int = 1
    dim: int = 64
    hidden: int | None = None
    weight_drop: float = 0.0
    dropout: float = 0.5
    input_dropout: float = 0.5
    embedding_dropout: float = 0.2
    pooling: str = "mean"
    optimizer: ClassVar[str] = "adamw:lr=0.003"
    epochs: ClassVar[int] = 30
    patience: ClassVar[int] = 3

    def body(self) -> NeuralSpec:
        return RnnSpec(
            cell=self.cell,
            layers=self.layers,
            dim=self.dim,
            hidden=self.hidden,
            weight_drop=self.weight_drop,
            dropout=self.dropout,
            input_dropout=self.input_dropout,
            embedding_dropout=self.embedding_dropout,
            pooling=self.pooling,
        )

    @property
    def last_dropout(self) -> float:
        """None besides: the encoder drops the same numbers of a row at all times, and so of their mean."""
        return 0.0
