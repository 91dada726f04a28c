"""Recurrent networks with what makes them good: weights dropped, one dropout mask for all times, embeddings dropped by word."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...core import domains
from ...core.errors import UsageError
from ...core.machine import fast_dtype
from ...data import valid
from ..base import models
from ..neural.network import LanguageNetwork, TextEncoder, check_pooling, mean_of
from ..neural.spec import NeuralSpec

if TYPE_CHECKING:
    from jaxtyping import Float, Int

State = tuple[tuple[Tensor, ...], ...]
"""Of each layer: (h,) of a GRU, (h, c) of an LSTM, each [1, B, width]."""
_PASS = 1024  # tokens of a row worked on at once where a state is carried


@models.add("rnn", source="Merity et al. 2018, arXiv:1708.02182; Hochreiter & Schmidhuber 1997; Cho et al. 2014, arXiv:1406.1078")
@dataclass(frozen=True, kw_only=True)
class RnnSpec(NeuralSpec):
    """An LSTM or GRU in the form of AWD-LSTM (Merity et al. 2018, arXiv:1708.02182).

    Keys: cell, lstm or gru; layers; dim, of embeddings and of the last layer's states; hidden, of the layers before (none: dim);
    tied, whether the last layer is the embedding; weight_drop, of recurrent weights; dropout, between layers and at the end;
    input_dropout, on embeddings; embedding_dropout, of words as a whole; pooling of an encoder, mean or last (each side's own).
    """

    cell: str = "lstm"
    layers: int = 2
    dim: int = 256
    hidden: int | None = None
    tied: bool = True
    weight_drop: float = 0.0
    dropout: float = 0.0
    input_dropout: float = 0.0
    embedding_dropout: float = 0.0
    pooling: str = "mean"
    optimizer: ClassVar[str] = "adamw:lr=0.003"
    classifier: ClassVar[str | None] = "rnn_encoder"

    def __post_init__(self) -> None:
        if self.cell not in ("lstm", "gru"):
            raise UsageError(f"cell is {self.cell!r}; wanted 'lstm' or 'gru'.")
        domains.count(self, "layers", "dim", "hidden")
        domains.share(self, "weight_drop", "dropout", "input_dropout", "embedding_dropout")
        check_pooling(self.pooling, "mean", "last")

    @property
    def widths(self) -> list[int]:
        """The width of what goes into the first layer, and of what comes out of each."""
        return [self.dim, *[self.hidden or self.dim] * (self.layers - 1), self.dim]

    def parameters(self, vocabulary: int) -> int:
        """How many weights the network has."""
        gates = 4 if self.cell == "lstm" else 3
        layers = sum(gates * out * (into + out + 2) for into, out in zip(self.widths, self.widths[1:], strict=False))
        return layers + vocabulary * self.dim * (1 if self.tied else 2) + vocabulary

    def _network(self, vocabulary: int) -> Rnn:
        return Rnn(self, vocabulary)

    def _encoder(self, vocabulary: int) -> RnnEncoder:
        return RnnEncoder(self, vocabulary)


class Layer(nn.Module):
    """One recurrent layer; while training, ``weight_drop`` of its recurrent weights are zero for the whole pass.

    The weights stand in PyTorch's own module, and its kernel is called with the dropped ones in the place of its own: so they
    are parameters like any other, and the kernel is the same.
    """

    def __init__(self, cell: str, into: int, out: int, weight_drop: float) -> None:
        super().__init__()
        self.cell: nn.RNNBase = (nn.LSTM if cell == "lstm" else nn.GRU)(into, out, batch_first=True)
        self.weight_drop = weight_drop
        self.out = out

    def forward(
        self, x: Float[Tensor, "B T into"], state: tuple[Tensor, ...]
    ) -> tuple[Float[Tensor, "B T out"], tuple[Tensor, ...]]:
        into, recurrent, *biases = self.cell.all_weights[0]
        dropped = functional.dropout(recurrent, self.weight_drop, self.training)
        weights, how = [into, dropped, *biases], (True, 1, 0.0, self.training, False, True)
        with contextlib.nullcontext() if _has_kernel(x.device) else torch.autocast(x.device.type, enabled=False):
            if isinstance(self.cell, nn.LSTM):
                states, *after = torch.lstm(x, state, weights, *how)
            else:
                states, *after = torch.gru(x, state[0], weights, *how)
        return states, tuple(after)

    def start(self, rows: int) -> tuple[Tensor, ...]:
        """All zeros."""
        weight = self.cell.all_weights[0][0]  # it may be divided among processes, the state is not
        zeros = torch.zeros(1, rows, self.out, dtype=weight.dtype, device=weight.device)
        return (zeros, zeros) if isinstance(self.cell, nn.LSTM) else (zeros,)


class Embedding(nn.Module):
    """A table of words; while training, ``dropout`` of all words are zero throughout the batch."""

    def __init__(self, vocabulary: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.table = nn.Embedding(vocabulary, dim)
        self.dropout = dropout

    def forward(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T d"]:
        x: Tensor = self.table(ids)
        if not self.training or not self.dropout:
            return x
        words = functional.dropout(x.new_ones(self.table.num_embeddings), self.dropout)
        return x * words[ids][..., None]


class Rnn(LanguageNetwork):
    """See ``RnnSpec``. Its states are carried: ``advance`` has a gradient, and truncating it is the caller's ``detached``."""

    head: nn.Linear
    spec: RnnSpec
    carries: ClassVar[bool] = True

    def __init__(self, spec: RnnSpec, vocabulary: int) -> None:
        super().__init__()
        self.spec = spec
        self.context: int | None = None
        self.embedding = Embedding(vocabulary, spec.dim, spec.embedding_dropout)
        self.layers = _layers(spec)
        self.head = nn.Linear(spec.dim, vocabulary)
        _initialise(self)
        if spec.tied:
            self.head.weight = self.embedding.table.weight

    def hidden(self, ids: Int[Tensor, "B T"], documents: Int[Tensor, "B T"] | None = None) -> Float[Tensor, "B T d"]:
        if documents is not None:
            raise UsageError("a recurrent network carries its state through a row. Give each document a row of its own.")
        return self.advance(self.start(ids.shape[0]), ids)[0]

    def start(self, rows: int = 1) -> State:
        return tuple(layer.start(rows) for layer in self.layers)  # type: ignore[operator]

    def advance(self, state: State, ids: Int[Tensor, "B T"]) -> tuple[Float[Tensor, "B T d"], State]:
        x = locked_dropout(self.embedding(ids), self.spec.input_dropout, self.training)
        after = []
        for layer, before in zip(self.layers, state, strict=True):
            x, now = layer(x, before)
            x = locked_dropout(x, self.spec.dropout, self.training)
            after.append(now)
        return x, tuple(after)

    def passes(self, ids: Int[Tensor, "B T"]) -> Iterator[Float[Tensor, "B t d"]]:
        state = self.start(ids.shape[0])
        for part in torch.split(ids, _PASS, 1):
            states, state = self.advance(state, part)
            yield states


class RnnEncoder(TextEncoder):
    """Each layer from both sides, as wide on each as the spec says; their mean, or the last state of each side."""

    def __init__(self, spec: RnnSpec, vocabulary: int) -> None:
        super().__init__()
        self.spec, self.dim = spec, 2 * spec.dim
        self.embedding = Embedding(vocabulary, spec.dim, spec.embedding_dropout)
        self.forwards = _layers(spec, 2)
        self.backwards = _layers(spec, 2)
        _initialise(self)

    @property
    def table(self) -> nn.Embedding:
        return self.embedding.table

    def encode(self, ids: Int[Tensor, "B T"], lengths: Int[Tensor, "B"]) -> Float[Tensor, "B dim"]:
        back = turned_round(lengths, ids.shape[1])
        x = locked_dropout(self.embedding(ids), self.spec.input_dropout, self.training)
        for onward, backward in zip(self.forwards, self.backwards, strict=True):
            right, _ = onward(x, onward.start(ids.shape[0]))  # type: ignore[operator]
            left, _ = backward(_along(x, back), backward.start(ids.shape[0]))  # type: ignore[operator]
            x = locked_dropout(torch.cat([right, _along(left, back)], -1), self.spec.dropout, self.training)
        if self.spec.pooling == "mean":
            return mean_of(x, lengths)
        return torch.cat(
            [x[torch.arange(x.shape[0], device=x.device), lengths - 1, : self.spec.dim], x[:, 0, self.spec.dim :]], -1
        )


def _has_kernel(device: torch.device) -> bool:
    """Whether a recurrent kernel in bfloat16 runs there: on a CPU it takes the instructions for it."""
    return device.type != "cpu" or fast_dtype() == "bfloat16"


def turned_round(lengths: Int[Tensor, "B"], size: int) -> Int[Tensor, "B T"]:
    """Places of each row, those of its tokens in reverse; the padding stays where it is. Twice is the row again."""
    places = torch.arange(size, device=lengths.device).expand(lengths.shape[0], -1)
    return torch.where(valid(lengths, size), lengths[:, None] - 1 - places, places)


def locked_dropout(x: Float[Tensor, "B T d"], p: float, training: bool) -> Float[Tensor, "B T d"]:
    """Dropout with one mask a row, the same at all times (Gal & Ghahramani 2016, arXiv:1512.05287)."""
    return x * functional.dropout(x.new_ones(x.shape[0], 1, x.shape[2]), p) if training and p else x


def detached(state: State) -> State:
    """The state without its past: where back-propagation through time is cut."""
    return tuple(tuple(tensor.detach() for tensor in layer) for layer in state)


def _layers(spec: RnnSpec, sides: int = 1) -> nn.ModuleList:
    """The spec's layers, each from all ``sides`` of the one before."""
    pairs = zip([spec.dim, *(sides * width for width in spec.widths[1:-1])], spec.widths[1:], strict=True)
    return nn.ModuleList(Layer(spec.cell, into, out, spec.weight_drop) for into, out in pairs)


def _along(x: Float[Tensor, "B T d"], places: Int[Tensor, "B T"]) -> Float[Tensor, "B T d"]:
    return x.gather(1, places[..., None].expand_as(x))


@torch.no_grad()
def _initialise(module: nn.Module) -> None:
    """Embeddings and head uniform within ±0.1, as in AWD-LSTM; recurrent layers as in PyTorch; a head's bias zero."""
    for each in module.modules():
        if isinstance(each, nn.Embedding | nn.Linear):
            each.weight.uniform_(-0.1, 0.1)
        if isinstance(each, nn.Linear):
            each.bias.zero_()
