"""Memory for a stack of Transformer blocks that goes forwards and backwards: made once for a shape, with each view of it.

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

from .tape import Tape


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of a stack and a batch: texts and their tokens; layers; the stream's width; heads, those shared, and one's width; inner;
    the dtype of products; and among how many threads the texts are divided.
    """

    texts: int
    tokens: int
    layers: int
    width: int
    heads: int
    shared: int
    head: int
    inner: int
    dtype: torch.dtype
    parts: int


class Pair:
    """A tensor as PyTorch and as compiled code see it; bfloat16, which NumPy does not know, as its bits."""

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
    attn_probs: Pair
    grouped: tuple[Tensor, Tensor, Tensor, Tensor]

    @classmethod
    def of(cls, sizes: Sizes, *whole: Tensor) -> Attention:
        """Queries, keys, values [B, heads or shared, T, h] and attn_probs [B, heads, T, T]."""
        group = sizes.heads // sizes.shared * sizes.tokens
        rows = group, sizes.tokens, sizes.tokens, group
        queries, keys, values, attn_probs = (t.view(-1, size, t.shape[3]) for t, size in zip(whole, rows, strict=True))
        by_head = Pair(whole[3].view(-1, sizes.tokens, sizes.tokens))
        return cls(Pair(whole[0]), Pair(whole[1]), Pair(whole[2]), by_head, (queries, keys, values, attn_probs))


@dataclass(frozen=True, slots=True)
class Half:
    """Some rows of half a layer: the stream, its norm's scales, what is normed, and the gradient of the norm's weight by text."""

    stream: Any
    scales: Any
    normed: Pair
    by_text: Any


@dataclass(frozen=True, slots=True)
class Layer:
    """Some rows of a layer: what the backward pass reads, and the gradients from which it makes those of the weights.

    attn_out: the output of attention, heads side by side. inner: that of the gate. Gradients: of the layer's end (and of the end
    of the layer before it), of its middle, of gate_up and of qkv.
    """

    first: Half
    attention: Attention
    attn_out: Pair
    second: Half
    gate_up: Pair
    inner: Pair
    grad_end: Pair
    grad_end_before: Pair
    grad_middle: Pair
    grad_gate_up: Pair
    grad_qkv: Pair


@dataclass(frozen=True, slots=True)
class WorkspaceSlice:
    """One thread's part: its rows of the layers, and what it needs for a while."""

    number: int
    rows: slice
    layers: list[Layer]
    last: Half
    grad: Any
    qkv: Pair
    apart: Pair
    stream: Pair
    inner: Pair
    grad_attn_out: Pair
    grads: Attention
    row_scores: Any
    nothing: Any


class Workspace:
    """All of it. ``products``: of each layer, what its weights' gradients are the products of, in their order."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = s = sizes
        rows, many = s.texts * s.tokens, (s.heads + 2 * s.shared) * s.head
        self.streams, self.scales = torch.empty(2 * s.layers + 1, rows, s.width), torch.empty(2 * s.layers + 1, rows)
        self.by_text = torch.empty(2 * s.layers + 1, s.texts, s.width)
        self.grad = torch.empty(rows, s.width)

        def of_layers(width: int, layers: int = s.layers) -> Tensor:
            return torch.empty(layers, rows, width, dtype=s.dtype)

        self.normed = of_layers(s.width, 2 * s.layers + 1)  # the last is not used
        self.heads = [torch.empty(s.layers, *shape, dtype=s.dtype) for shape in _heads(s, s.texts)]
        self.attn_out, self.gate_up, self.inner = of_layers(s.heads * s.head), of_layers(2 * s.inner), of_layers(s.inner)
        # A layer's weights get their gradients while the layer below goes on, so there are two of each gradient, and a third end.
        self.grad_end, self.grad_middle = of_layers(s.width, 3), of_layers(s.width, 2)
        self.grad_gate_up, self.grad_qkv = of_layers(2 * s.inner, 2), of_layers(many, 2)
        cuts = [s.texts * part // s.parts for part in range(s.parts + 1)]
        self.slices = [self._slice(number, slice(*ends)) for number, ends in enumerate(itertools.pairwise(cuts))]
        self.products = [self._products(layer) for layer in range(s.layers)]
        self.downcast: list[Tensor] = []
        self.tapes: dict[str, Tape] = {}  # of the passes through it

    def _products(self, layer: int) -> tuple[tuple[Tensor, Tensor], ...]:
        now = layer % 2
        return (
            (self.grad_qkv[now], self.normed[2 * layer]),
            (self.grad_middle[now], self.attn_out[layer]),
            (self.grad_gate_up[now], self.normed[2 * layer + 1]),
            (self.grad_end[layer % 3], self.inner[layer]),
        )

    def _slice(self, number: int, texts: slice) -> WorkspaceSlice:
        s = self.sizes
        rows = slice(texts.start * s.tokens, texts.stop * s.tokens)
        count = rows.stop - rows.start
        widths = (s.heads + 2 * s.shared) * s.head, s.width, s.inner, s.heads * s.head
        qkv, stream, inner, grad_attn_out = (Pair(torch.empty(count, width, dtype=s.dtype)) for width in widths)
        apart = Pair(torch.empty(texts.stop - texts.start, s.heads, s.tokens, s.head, dtype=s.dtype))
        return WorkspaceSlice(
            number=number,
            rows=rows,
            layers=[self._layer(layer, texts, rows) for layer in range(s.layers)],
            last=self._half(2 * s.layers, texts, rows),
            grad=self.grad[rows].numpy(),
            qkv=qkv,
            apart=apart,
            stream=stream,
            inner=inner,
            grad_attn_out=grad_attn_out,
            grads=Attention.of(s, *(torch.empty(shape, dtype=s.dtype) for shape in _heads(s, texts.stop - texts.start))),
            row_scores=np.empty(s.tokens, np.float32),
            nothing=stream.array[:0],
        )

    def _layer(self, layer: int, texts: slice, rows: slice) -> Layer:
        now = layer % 2
        return Layer(
            first=self._half(2 * layer, texts, rows),
            attention=Attention.of(self.sizes, *(t[layer, texts] for t in self.heads)),
            attn_out=Pair(self.attn_out[layer, rows]),
            second=self._half(2 * layer + 1, texts, rows),
            gate_up=Pair(self.gate_up[layer, rows]),
            inner=Pair(self.inner[layer, rows]),
            grad_end=Pair(self.grad_end[layer % 3, rows]),
            grad_end_before=Pair(self.grad_end[(layer - 1) % 3, rows]),
            grad_middle=Pair(self.grad_middle[now, rows]),
            grad_gate_up=Pair(self.grad_gate_up[now, rows]),
            grad_qkv=Pair(self.grad_qkv[now, rows]),
        )

    def _half(self, number: int, texts: slice, rows: slice) -> Half:
        stream, scales, by_text = self.streams[number, rows], self.scales[number, rows], self.by_text[number, texts]
        return Half(stream.numpy(), scales.numpy(), Pair(self.normed[number, rows]), by_text.numpy())


def _heads(sizes: Sizes, texts: int) -> list[tuple[int, ...]]:
    """Shapes of queries, keys, values and attn_probs."""
    counts = sizes.heads, sizes.shared, sizes.shared, sizes.heads
    return [(texts, count, sizes.tokens, sizes.head) for count in counts[:3]] + [(texts, counts[3], *[sizes.tokens] * 2)]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A layer's weight, and its transpose."""

    weight: Tensor
    transposed: Tensor


@dataclass(frozen=True, slots=True)
class Weights:
    """A layer's, in the order of ``stack``."""

    attention_norm: Any
    qkv: Matrix
    o_proj: Matrix
    ffn_norm: Any
    gate_up: Matrix
    down: Matrix


def layer_weights(workspace: Workspace, weights: Sequence[Tensor]) -> list[Weights]:
    """Every layer's, as products read them."""
    plain = [w.detach() for w in weights]
    if workspace.sizes.dtype is not torch.float32:
        matrices = [w for w in plain if w.ndim == 2]
        if not workspace.downcast:
            workspace.downcast = [w.to(workspace.sizes.dtype) for w in matrices]
        else:
            torch._foreach_copy_(workspace.downcast, matrices)
        downcast = iter(workspace.downcast)
        plain = [next(downcast) if w.ndim == 2 else w for w in plain]
    each: list[Any] = [Matrix(w, w.t()) if w.ndim == 2 else w.numpy() for w in plain]
    return [Weights(*each[first : first + 6]) for first in range(0, len(each), 6)]
