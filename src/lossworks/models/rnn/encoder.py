"""A recurrent network that reads a whole text from both sides, as a classifier or a regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..base import models
from ..neural import EncoderSpec, NeuralSpec
from .model import RnnSpec


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
    family: ClassVar[type[NeuralSpec]] = RnnSpec
    optimizer: ClassVar[str] = "adamw:lr=0.003"
    epochs: ClassVar[int] = 30
    patience: ClassVar[int] = 3

    @property
    def last_dropout(self) -> float:
        """None besides: the encoder drops the same numbers of a row at all times, and so of their mean."""
        return 0.0
