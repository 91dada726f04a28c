"""All blocks of a Transformer and its last norm as one step of autograd, for training on a processor.

A small Transformer spends a third of its time beside the matrix products: in calls, in passes over memory, and in threads that wait
for each other at the end of each. Here every thread takes some of the batch's rows through all layers by itself, its products
on one core each; between them stand the compiled passes of ``stack_passes``. The backward pass meets once a layer and
once for the weights' gradients, of which each thread then makes some rows. Every number is a sum in the same order on any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ...core.threads import available, share
from . import stack_passes as passes

if TYPE_CHECKING:
    from jaxtyping import Float

    from .transformer import Block, Body

_LONGEST = 512  # tokens; the shares of a longer row's attention take more memory than they save time
_EVEN = 1.1  # the most that a thread may have to do beyond its share


def stacked(body: Body, x: Float[Tensor, "B T d"]) -> Float[Tensor, "B T d"]:
    """The states after all blocks and the norm, each token seeing those before it; where ``stackable`` says so."""
    weights = [p for block in body.blocks for p in _weights(cast("Block", block))]
    states: Tensor = _Stack.apply(body, x.contiguous(), body.norm.weight, *weights)  # type: ignore[no-untyped-call]
    return states


def stackable(body: Body, x: Float[Tensor, "B T d"]) -> bool:
    """Whether there is a gradient to be made, of plain float32 weights on the processor, and the rows divide among threads."""
    if not torch.is_grad_enabled() or torch.compiler.is_compiling() or (body.training and body.spec.dropout):
        return False
    if not x.is_cpu or x.dtype is not torch.float32 or x.shape[1] > _LONGEST or _narrow() not in (None, torch.bfloat16):
        return False
    parts = available()
    if -(-len(x) // parts) * parts > _EVEN * len(x):
        return False
    return all(_plain(module) for module in body.blocks.modules()) and _plain(body.norm)


def _plain(module: nn.Module) -> bool:
    """Whether a module is what the spec made: no hooks, no other layer in its place, all weights its own and trained."""
    if module._forward_hooks or module._forward_pre_hooks or module._backward_hooks or module._backward_pre_hooks:
        return False
    if not module._parameters:
        return True
    weight = module._parameters.get("weight")
    if type(weight) is not nn.Parameter or len(module._parameters) > 1 + (type(module) is nn.Linear):
        return False
    return weight.dtype is torch.float32 and weight.is_cpu and weight.is_contiguous() and weight.requires_grad


def _weights(block: Block) -> list[Tensor]:
    modules = block.attention_norm, block.qkv, block.merge, block.ffn_norm, block.gate_up, block.down
    return [module.weight for module in modules]


def _narrow() -> torch.dtype | None:
    """What products are in under autocast; None: as they are."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None


@dataclass(frozen=True, slots=True)
class Sizes:
    """Of a stack and a batch: texts and their tokens; layers; the stream's width; heads, those shared, and one's width; inner."""

    texts: int
    tokens: int
    layers: int
    width: int
    heads: int
    shared: int
    head: int
    inner: int
    eps: float

    @property
    def scale(self) -> np.float32:
        """What attention's scores are multiplied by."""
        return np.float32(self.head**-0.5)


@dataclass(frozen=True, slots=True)
class Kept:
    """What the backward pass reads: of each layer (twice, where it adds to the stream twice), all rows.

    streams, scales, normed: before, of, and after each norm. queries … shares: of attention, shares being its softmax.
    """

    sizes: Sizes
    streams: Tensor
    scales: Tensor
    normed: Tensor
    queries: Tensor
    keys: Tensor
    values: Tensor
    shares: Tensor
    seen: Tensor
    both: Tensor
    inner: Tensor

    @classmethod
    def room(cls, sizes: Sizes, kind: torch.dtype) -> Kept:
        """Room for all of it, products being of ``kind``."""
        s = sizes
        rows, twice = s.texts * s.tokens, 2 * s.layers

        def many(*shape: int, dtype: torch.dtype = kind) -> Tensor:
            return torch.empty(shape, dtype=dtype)

        one, heads = (s.layers, s.texts), (s.tokens, s.head)
        return cls(
            s,
            many(twice + 1, rows, s.width, dtype=torch.float32),
            many(twice + 1, rows, dtype=torch.float32),
            many(twice, rows, s.width),
            many(*one, s.heads, *heads),
            many(*one, s.shared, *heads),
            many(*one, s.shared, *heads),
            many(*one, s.heads, s.tokens, s.tokens),
            many(s.layers, rows, s.heads * s.head),
            many(s.layers, rows, 2 * s.inner),
            many(s.layers, rows, s.inner),
        )

    def of(self, texts: slice) -> Kept:
        """That of some of the texts."""
        size = self.sizes.tokens
        rows = slice(texts.start * size, texts.stop * size)
        by_row = [t[:, rows] for t in (self.streams, self.scales, self.normed)]
        by_text = [t[:, texts] for t in (self.queries, self.keys, self.values, self.shares)]
        return Kept(self.sizes, *by_row, *by_text, *(t[:, rows] for t in (self.seen, self.both, self.inner)))


class _Stack(Function):
    @staticmethod
    def forward(ctx: Any, body: Body, x: Tensor, norm: Tensor, *weights: Tensor) -> Tensor:
        spec, (texts, tokens, width) = body.spec, x.shape
        sizes = Sizes(
            texts, tokens, spec.layers, width, spec.heads, spec.shared_heads, spec.head_width, spec.ffn_width, spec.eps
        )
        kind = _narrow() or torch.float32
        with torch.autocast("cpu", enabled=False):
            layers = _by_layer([w.detach() if w.ndim == 1 else w.detach().to(kind) for w in weights])
            tables = body.cosines[:tokens].numpy(), body.sines[:tokens].numpy()
            kept, found = Kept.room(sizes, kind), torch.empty_like(x)
            last = norm.detach().numpy()

            def rows(texts: slice) -> None:
                _forward(kept.of(texts), layers, last, tables, x.detach()[texts], found[texts])

            _by_text(texts, rows)
        ctx.save_for_backward(norm, *weights)  # PyTorch sees by them whether a weight was changed before its gradient is made
        ctx.kept, ctx.layers, ctx.tables = kept, layers, tables
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        norm, *weights = ctx.saved_tensors
        with torch.autocast("cpu", enabled=False):
            slope, of_norms, of_weights = _backward(ctx.kept, ctx.layers, norm, ctx.tables, outer.contiguous())
        found = [of_norms[-1]]
        for layer, (qkv, merge, gate_up, down) in enumerate(of_weights):
            found += [of_norms[2 * layer], qkv, merge, of_norms[2 * layer + 1], gate_up, down]
        return None, slope, *(each.to(w.dtype) for each, w in zip(found, (norm, *weights), strict=True))


def _by_layer(weights: Sequence[Tensor]) -> list[Sequence[Tensor]]:
    return [weights[first : first + 6] for first in range(0, len(weights), 6)]


def _forward(kept: Kept, layers: list[Sequence[Tensor]], last: Any, tables: Any, x: Tensor, found: Tensor) -> None:
    """Some texts through all layers."""
    s, (texts, tokens, width) = kept.sizes, x.shape
    count = texts * tokens
    before, added = _array(x).reshape(count, width), _array(x.new_empty(0, width))
    every, seen, more = (kept.normed.new_empty(count, size) for size in ((s.heads + 2 * s.shared) * s.head, 0, width))
    seen = torch.empty_like(kept.queries[0])
    room = np.empty(tokens, np.float32)
    for layer, (attention_norm, qkv, merge, ffn_norm, gate_up, down) in enumerate(layers):
        first, second = 2 * layer, 2 * layer + 1
        streams, scales, normed = _array(kept.streams), _array(kept.scales), _array(kept.normed)
        passes.add_norm(before, added, _array(attention_norm), s.eps, streams[first], scales[first], normed[first])
        torch.mm(kept.normed[first], qkv.t(), out=every)
        queries, keys, values, shares = (each[layer] for each in (kept.queries, kept.keys, kept.values, kept.shares))
        passes.turn(_array(every), *tables, _array(queries), _array(keys), _array(values))
        torch.bmm(_grouped(queries, s), _grouped(keys, s).transpose(1, 2), out=_grouped(shares, s))
        passes.softmax(_array(shares.view(-1, tokens, tokens)), s.scale, room)
        torch.bmm(_grouped(shares, s), _grouped(values, s), out=_grouped(seen, s))
        passes.merge(_array(seen), _array(kept.seen[layer]))
        torch.mm(kept.seen[layer], merge.t(), out=more)
        added = _array(more)
        passes.add_norm(streams[first], added, _array(ffn_norm), s.eps, streams[second], scales[second], normed[second])
        torch.mm(kept.normed[second], gate_up.t(), out=kept.both[layer])
        passes.gate(_array(kept.both[layer]), _array(kept.inner[layer]))
        torch.mm(kept.inner[layer], down.t(), out=more)
        before = streams[second]
    passes.add_norm(before, added, last, s.eps, _array(kept.streams[-1]), _array(kept.scales[-1]), _array(found.view(count, width)))


@dataclass(frozen=True, slots=True)
class Slopes:
    """What the backward pass makes, all rows: of the stream (and as products read it, after each half of a layer), and of a layer."""

    stream: Tensor
    after: Tensor
    between: Tensor
    both: Tensor
    every: Tensor
    by_text: Tensor

    @classmethod
    def room(cls, sizes: Sizes, kind: torch.dtype) -> Slopes:
        """Room for all of it, products being of ``kind``."""
        s = sizes
        rows = s.texts * s.tokens
        widths = s.width, s.width, 2 * s.inner, (s.heads + 2 * s.shared) * s.head
        of_products = (torch.empty(rows, size, dtype=kind) for size in widths)
        return cls(torch.zeros(rows, s.width), *of_products, torch.empty(2 * s.layers + 1, s.texts, s.width))

    def of(self, texts: slice, size: int) -> Slopes:
        """That of some of the texts."""
        rows = slice(texts.start * size, texts.stop * size)
        return Slopes(
            *(t[rows] for t in (self.stream, self.after, self.between, self.both, self.every)), self.by_text[:, texts]
        )


def _backward(
    kept: Kept, layers: list[Sequence[Tensor]], norm: Tensor, tables: Any, outer: Tensor
) -> tuple[Tensor, Tensor, list[list[Tensor]]]:
    """The slopes of the stream, of all norms' weights, and of the matrices of each layer."""
    s, kind = kept.sizes, kept.normed.dtype
    slopes = Slopes.room(s, kind)
    last, given = norm.detach().numpy(), _array(outer.view(-1, s.width))

    def begin(texts: slice) -> None:
        here, of = slopes.of(texts, s.tokens), kept.of(texts)
        rows = given[texts.start * s.tokens : texts.stop * s.tokens]
        read = _array(of.streams[-1]), last, _array(of.scales[-1]), rows
        passes.norm_slope(*read, _array(here.stream), _array(here.after), _array(here.by_text[-1]))

    _by_text(s.texts, begin)
    found = []
    for layer in reversed(range(s.layers)):
        weights = layers[layer]

        # What the layer's last product was given is read after the layer below has begun to write: it gets a copy's place.
        ends = slopes.after.clone()

        def rows(texts: slice, layer: int = layer, weights: Sequence[Tensor] = weights) -> None:
            _layer_backward(kept.of(texts), slopes.of(texts, s.tokens), layer, weights, tables)

        _by_text(s.texts, rows)
        pairs = (
            (slopes.every, kept.normed[2 * layer]),
            (slopes.between, kept.seen[layer]),
            (slopes.both, kept.normed[2 * layer + 1]),
            (ends, kept.inner[layer]),
        )
        found.append(_products(pairs))
    return slopes.stream.view(s.texts, s.tokens, s.width), slopes.by_text.sum(1), found[::-1]


def _layer_backward(kept: Kept, slopes: Slopes, layer: int, weights: Sequence[Tensor], tables: Any) -> None:
    """Some texts back through a layer."""
    s, tokens = kept.sizes, kept.sizes.tokens
    attention_norm, qkv, merge, ffn_norm, gate_up, down = weights
    first, second = 2 * layer, 2 * layer + 1
    stream, streams, scales, by_text = (_array(t) for t in (slopes.stream, kept.streams, kept.scales, slopes.by_text))
    of_inner = torch.mm(slopes.after, down)
    passes.gate_slope(_array(kept.both[layer]), _array(of_inner), _array(slopes.both))
    of_normed = torch.mm(slopes.both, gate_up)
    read = streams[second], _array(ffn_norm), scales[second], _array(of_normed)
    passes.norm_slope(*read, stream, _array(slopes.between), by_text[second])

    of_merged = torch.mm(slopes.between, merge)
    queries, keys, values, shares = (each[layer] for each in (kept.queries, kept.keys, kept.values, kept.shares))
    of_seen = torch.empty_like(queries)
    passes.split(_array(of_merged), _array(of_seen))
    seen, share_of = _grouped(of_seen, s), _grouped(shares, s)
    of_values = torch.bmm(share_of.transpose(1, 2), seen)
    of_scores = torch.bmm(seen, _grouped(values, s).transpose(1, 2))
    passes.softmax_slope(_array(shares.view(-1, tokens, tokens)), s.scale, _array(of_scores.view(-1, tokens, tokens)))
    of_queries = torch.bmm(of_scores, _grouped(keys, s)).view_as(queries)
    of_keys = torch.bmm(of_scores.transpose(1, 2), _grouped(queries, s)).view_as(keys)
    passes.turn_back(_array(of_queries), _array(of_keys), _array(of_values.view_as(values)), *tables, _array(slopes.every))
    torch.mm(slopes.every, qkv, out=of_normed)
    read = streams[first], _array(attention_norm), scales[first], _array(of_normed)
    passes.norm_slope(*read, stream, _array(slopes.after), by_text[first])


def _products(pairs: Sequence[tuple[Tensor, Tensor]]) -> list[Tensor]:
    """aᵀ b of each pair, its rows divided among threads."""
    found = [b.new_empty(a.shape[1], b.shape[1]) for a, b in pairs]

    def some(part: int, parts: int) -> None:
        with _alone(parts):
            for (a, b), product in zip(pairs, found, strict=True):
                rows = slice(len(product) * part // parts, len(product) * (part + 1) // parts)
                torch.mm(a[:, rows].t(), b, out=product[rows])

    _share(some)
    return found


def _by_text(texts: int, work: Callable[[slice], None]) -> None:
    """Some of the texts for every thread."""

    def some(part: int, parts: int) -> None:
        with _alone(parts):
            work(slice(texts * part // parts, texts * (part + 1) // parts))

    _share(some)


def _share(work: Callable[[int, int], None]) -> None:
    before = torch.get_num_threads()
    try:
        share(work, 1 << 62)
    finally:
        if torch.get_num_threads() != before:
            torch.set_num_threads(before)


@contextmanager
def _alone(parts: int) -> Iterator[None]:
    """In each of several threads PyTorch has to do with one, and needs to be told that there is no graph."""
    if parts > 1 and torch.get_num_threads() > 1:
        torch.set_num_threads(1)
    with torch.no_grad():
        yield


def _grouped(x: Tensor, sizes: Sizes) -> Tensor:
    """[B, heads, T, n] as [B·shared, heads/shared·T, n]: the queries that read the same keys, as one matrix."""
    return x.reshape(-1, x.shape[1] // sizes.shared * x.shape[2], x.shape[3])


def _array(x: Tensor) -> Any:
    return x.view(torch.uint16).numpy() if x.dtype is torch.bfloat16 else x.numpy()
