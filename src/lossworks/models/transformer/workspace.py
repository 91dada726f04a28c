"""Memory for a stack of Transformer blocks that goes forwards and backwards: made once for a shape, with every view of it.

At a small model's sizes a view of a tensor costs as much as some thousand numbers worked on, and there are hundreds in a step.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of a stack and a batch: texts and their tokens; layers; the stream's width; heads, those shared, and one's width; inner;
    what products are in; and among how many threads the texts are divided.
    """

    texts: int
    tokens: int
    layers: int
    width: int
    heads: int
    shared: int
    head: int
    inner: int
    kind: torch.dtype
    parts: int


class Pair:
    """Some numbers as PyTorch and as compiled code see them; bfloat16, which NumPy does not know, as its bits."""

    __slots__ = ("array", "tensor")

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor
        self.array: Any = tensor.view(torch.uint16).numpy() if tensor.dtype is torch.bfloat16 else tensor.numpy()


@dataclass(frozen=True, slots=True)
class Attention:
    """Heads of some texts: of each, and with the queries that read the same keys as one matrix, [B·shared, heads/shared·T, n]."""

    queries: Pair
    keys: Pair
    values: Pair
    shares: Pair
    grouped: tuple[Tensor, Tensor, Tensor, Tensor]

    @classmethod
    def of(cls, sizes: Sizes, *whole: Tensor) -> Attention:
        """Queries, keys, values [B, heads or shared, T, h] and shares [B, heads, T, T]."""
        group = sizes.heads // sizes.shared * sizes.tokens
        rows = group, sizes.tokens, sizes.tokens, group
        queries, keys, values, shares = (t.view(-1, size, t.shape[3]) for t, size in zip(whole, rows, strict=True))
        by_head = Pair(whole[3].view(-1, sizes.tokens, sizes.tokens))
        return cls(Pair(whole[0]), Pair(whole[1]), Pair(whole[2]), by_head, (queries, keys, values, shares))

    @classmethod
    def room(cls, sizes: Sizes, texts: int) -> Attention:
        """Room for some texts'."""
        return cls.of(sizes, *(torch.empty(shape, dtype=sizes.kind) for shape in _heads(sizes, texts)))


@dataclass(frozen=True, slots=True)
class Half:
    """Of half a layer, some rows: the stream before its norm, what it is divided by, and after it; the norm's slope by text."""

    stream: Any
    scales: Any
    normed: Pair
    by_text: Any


@dataclass(frozen=True, slots=True)
class Layer:
    """Some rows of a layer: what the backward pass reads, and the slopes it makes for those of the weights.

    seen: what attention saw, its heads side by side. both, inner: gate and up, and what goes on. The slopes: of the layer's end
    (and of the layer's before it), of its middle, of both, and of every head side by side.
    """

    first: Half
    attention: Attention
    seen: Pair
    second: Half
    both: Pair
    inner: Pair
    of_end: Pair
    of_end_before: Pair
    of_middle: Pair
    of_both: Pair
    of_every: Pair


@dataclass(frozen=True, slots=True)
class Piece:
    """The part of one thread: its rows of the layers, and what it needs for a while."""

    number: int
    rows: slice
    layers: list[Layer]
    last: Half
    slope: Any
    every: Pair
    apart: Pair
    stream: Pair
    inner: Pair
    merged: Pair
    slopes: Attention
    room: Any
    nothing: Any


class Room:
    """All of it. ``products``: of each layer, what its weights' gradients are the products of, in their order."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = s = sizes
        rows, many = s.texts * s.tokens, (s.heads + 2 * s.shared) * s.head
        self.streams, self.scales = torch.empty(2 * s.layers + 1, rows, s.width), torch.empty(2 * s.layers + 1, rows)
        self.by_text = torch.empty(2 * s.layers + 1, s.texts, s.width)
        self.slope = torch.empty(rows, s.width)

        def of_layers(width: int, layers: int = s.layers) -> Tensor:
            return torch.empty(layers, rows, width, dtype=s.kind)

        self.normed = of_layers(s.width, 2 * s.layers + 1)  # the last is not used
        self.heads = [torch.empty(s.layers, *shape, dtype=s.kind) for shape in _heads(s, s.texts)]
        self.seen, self.both, self.inner = of_layers(s.heads * s.head), of_layers(2 * s.inner), of_layers(s.inner)
        # A layer's weights get their gradients while the layer below goes on, so there are two of each slope, and a third end.
        self.of_end, self.of_middle = of_layers(s.width, 3), of_layers(s.width, 2)
        self.of_both, self.of_every = of_layers(2 * s.inner, 2), of_layers(many, 2)
        cuts = [s.texts * part // s.parts for part in range(s.parts + 1)]
        self.pieces = [self._piece(number, slice(*ends)) for number, ends in enumerate(itertools.pairwise(cuts))]
        self.products = [self._products(layer) for layer in range(s.layers)]
        self.narrow: list[Tensor] = []

    def _products(self, layer: int) -> tuple[tuple[Tensor, Tensor], ...]:
        now = layer % 2
        return (
            (self.of_every[now], self.normed[2 * layer]),
            (self.of_middle[now], self.seen[layer]),
            (self.of_both[now], self.normed[2 * layer + 1]),
            (self.of_end[layer % 3], self.inner[layer]),
        )

    def _piece(self, number: int, texts: slice) -> Piece:
        s = self.sizes
        rows = slice(texts.start * s.tokens, texts.stop * s.tokens)
        count = rows.stop - rows.start
        widths = (s.heads + 2 * s.shared) * s.head, s.width, s.inner, s.heads * s.head
        every, stream, inner, merged = (Pair(torch.empty(count, width, dtype=s.kind)) for width in widths)
        apart = Pair(torch.empty(texts.stop - texts.start, s.heads, s.tokens, s.head, dtype=s.kind))
        return Piece(
            number=number,
            rows=rows,
            layers=[self._layer(layer, texts, rows) for layer in range(s.layers)],
            last=self._half(2 * s.layers, texts, rows),
            slope=self.slope[rows].numpy(),
            every=every,
            apart=apart,
            stream=stream,
            inner=inner,
            merged=merged,
            slopes=Attention.room(s, texts.stop - texts.start),
            room=np.empty(s.tokens, np.float32),
            nothing=stream.array[:0],
        )

    def _layer(self, layer: int, texts: slice, rows: slice) -> Layer:
        now = layer % 2
        return Layer(
            first=self._half(2 * layer, texts, rows),
            attention=Attention.of(self.sizes, *(t[layer, texts] for t in self.heads)),
            seen=Pair(self.seen[layer, rows]),
            second=self._half(2 * layer + 1, texts, rows),
            both=Pair(self.both[layer, rows]),
            inner=Pair(self.inner[layer, rows]),
            of_end=Pair(self.of_end[layer % 3, rows]),
            of_end_before=Pair(self.of_end[(layer - 1) % 3, rows]),
            of_middle=Pair(self.of_middle[now, rows]),
            of_both=Pair(self.of_both[now, rows]),
            of_every=Pair(self.of_every[now, rows]),
        )

    def _half(self, number: int, texts: slice, rows: slice) -> Half:
        stream, scales, by_text = self.streams[number, rows], self.scales[number, rows], self.by_text[number, texts]
        return Half(stream.numpy(), scales.numpy(), Pair(self.normed[number, rows]), by_text.numpy())


def _heads(sizes: Sizes, texts: int) -> list[tuple[int, ...]]:
    """Shapes of queries, keys, values and shares."""
    counts = sizes.heads, sizes.shared, sizes.shared, sizes.heads
    return [(texts, count, sizes.tokens, sizes.head) for count in counts[:3]] + [(texts, counts[3], *[sizes.tokens] * 2)]


class Spare:
    """The last room that nobody is in. It is no part of a model: a copy of a model has its own."""

    def __init__(self) -> None:
        self._rooms: list[Room] = []

    def take(self, sizes: Sizes) -> Room:
        """A room of these sizes, which is the caller's alone; one of others is given up, before memory is asked for."""
        try:
            room = self._rooms.pop()
        except IndexError:
            return Room(sizes)
        if room.sizes == sizes:
            return room
        del room
        return Room(sizes)

    def put(self, room: Room) -> None:
        """Take a room back."""
        self._rooms = [room]

    def clear(self) -> None:
        """Give the memory back."""
        self._rooms = []

    def __deepcopy__(self, memo: Any) -> Spare:
        return Spare()

    def __reduce__(self) -> tuple[type[Spare], tuple[()]]:
        return Spare, ()


class Lease:
    """A room for as long as this object is there, which is as long as the graph."""

    __slots__ = ("_spare", "room")

    def __init__(self, spare: Spare, room: Room) -> None:
        self._spare, self.room = spare, room

    def __del__(self) -> None:
        self._spare.put(self.room)


@dataclass(frozen=True, slots=True)
class Matrix:
    """A layer's weight, and on its side."""

    given: Tensor
    turned: Tensor


@dataclass(frozen=True, slots=True)
class Weights:
    """A layer's, in the order of ``stack``."""

    attention_norm: Any
    qkv: Matrix
    merge: Matrix
    ffn_norm: Any
    gate_up: Matrix
    down: Matrix


def layer_weights(room: Room, weights: Sequence[Tensor]) -> list[Weights]:
    """Every layer's, as products read them."""
    plain = [w.detach() for w in weights]
    if room.sizes.kind is not torch.float32:
        matrices = [w for w in plain if w.ndim == 2]
        if not room.narrow:
            room.narrow = [w.to(room.sizes.kind) for w in matrices]
        else:
            torch._foreach_copy_(room.narrow, matrices)
        narrow = iter(room.narrow)
        plain = [next(narrow) if w.ndim == 2 else w for w in plain]
    each: list[Any] = [Matrix(w, w.t()) if w.ndim == 2 else w.numpy() for w in plain]
    return [Weights(*each[first : first + 6]) for first in range(0, len(each), 6)]
