"""All blocks of a Transformer and its last norm as one step of autograd, for training on a processor.

A small Transformer spends a third of its time beside the matrix products: in calls, in passes over memory, and in threads that
wait for one another at the end of each. Here every thread takes some of the batch's texts through all layers by itself, its
products on one core each; between them stand the compiled passes of ``stack_passes``. Backwards the threads meet once a layer,
and make the gradients of its weights, some rows each, when they begin on the next. No sum depends on how many threads there are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ...core.threads import available, share
from . import stack_kernels as passes
from .ops import RmsNorm
from .workspace import Layer, Lease, Piece, Room, Sizes, Weights, layer_weights

if TYPE_CHECKING:
    from jaxtyping import Float

    from .model import Block, Body

_LONGEST = 256  # tokens; the shares of a longer row's attention take more memory than they save time
_EVEN = 1.1  # the most that a thread may have to do beyond its share
_PACE = 16  # weights are multiplied this much faster than ``share`` reckons


def stacked(body: Body, x: Float[Tensor, "B T d"]) -> Float[Tensor, "B T d"]:
    """The states after all blocks and the norm, each token seeing those before it; where ``stackable`` says so."""
    weights = [module.weight for block in body.blocks for module in _modules(cast("Block", block))]
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
    blocks = cast("list[Block]", body.blocks)
    return _plain(body.norm) and all(_untouched(block) and all(map(_plain, _modules(block))) for block in blocks)


def _untouched(module: nn.Module) -> bool:
    """Whether no hook wants to see what goes through."""
    hooks = module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks
    return not any(hooks)


def _plain(module: nn.Module) -> bool:
    """Whether a norm or a linear layer is what the spec made, and its weight is its own and trained."""
    if type(module) not in (RmsNorm, nn.Linear) or list(module._parameters.values())[1:] not in ([], [None]):
        return False
    weight = module._parameters["weight"]
    if type(weight) is not nn.Parameter or not _untouched(module):
        return False
    return weight.dtype is torch.float32 and weight.is_cpu and weight.is_contiguous() and weight.requires_grad


def _modules(block: Block) -> tuple[nn.Module, ...]:
    return block.attention_norm, block.qkv, block.merge, block.ffn_norm, block.gate_up, block.down


def _narrow() -> torch.dtype | None:
    """What products are in under autocast; None: as they are."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None


class _Stack(Function):
    @staticmethod
    def forward(ctx: Any, body: Body, x: Tensor, norm: Tensor, *weights: Tensor) -> Tensor:
        spec, kind = body.spec, _narrow() or torch.float32
        texts, tokens, width = x.shape
        heads, shared, head = spec.heads, spec.shared_heads, spec.head_width
        sizes = Sizes(texts, tokens, spec.layers, width, heads, shared, head, spec.ffn_width, kind, available())
        lease = Lease(body.spare, body.spare.take(sizes))
        found = torch.empty_like(x)
        with torch.autocast("cpu", enabled=False):
            run = _Run(lease.room, layer_weights(lease.room, weights), norm.detach().numpy(), body)
            run.forward(x.detach().view(-1, x.shape[2]).numpy(), found.view(-1, x.shape[2]).numpy())
        ctx.save_for_backward(norm, *weights)  # PyTorch sees by them whether a weight was changed before its gradient is made
        ctx.lease, ctx.run = lease, run
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        _, *weights = ctx.saved_tensors
        given = outer.contiguous()
        with torch.autocast("cpu", enabled=False):
            slope, norms, matrices = ctx.run.backward(given.view(-1, given.shape[2]).numpy(), weights)
        found = [norms[-1]]
        for layer, (qkv, merge, gate_up, down) in enumerate(matrices):
            found += [norms[2 * layer], qkv, merge, norms[2 * layer + 1], gate_up, down]
        return None, slope.view_as(given), *found


class _Run:
    """One way there and back through a room."""

    def __init__(self, room: Room, layers: list[Weights], norm: Any, body: Body) -> None:
        self.room, self.layers, self.norm, self.eps = room, layers, norm, body.spec.eps
        self.tables = body.cosines[: room.sizes.tokens].numpy(), body.sines[: room.sizes.tokens].numpy()
        self.scale = np.float32(room.sizes.head**-0.5)
        matrices = sum(m.given.numel() for w in layers for m in (w.qkv, w.merge, w.gate_up, w.down))
        self.work = len(room.slope) * matrices // _PACE

    def forward(self, x: Any, found: Any) -> None:
        """All texts through all layers."""

        def work(piece: Piece) -> None:
            before, added = x[piece.rows], piece.nothing
            for kept, weights in zip(piece.layers, self.layers, strict=True):
                self._layer(piece, kept, weights, before, added)
                before, added = kept.second.stream, piece.stream.array
            last = piece.last
            passes.add_norm(before, added, self.norm, self.eps, last.stream, last.scales, found[piece.rows])

        self._share(work)

    def _layer(self, piece: Piece, kept: Layer, weights: Weights, before: Any, added: Any) -> None:
        first, second, heads = kept.first, kept.second, kept.attention
        queries, keys, values, shares = heads.grouped
        passes.add_norm(before, added, weights.attention_norm, self.eps, first.stream, first.scales, first.normed.array)
        torch.mm(first.normed.tensor, weights.qkv.turned, out=piece.every.tensor)
        passes.turn(piece.every.array, *self.tables, heads.queries.array, heads.keys.array, heads.values.array)
        torch.bmm(queries, keys.transpose(1, 2), out=shares)
        passes.softmax(heads.shares.array, self.scale, piece.room)
        torch.bmm(shares, values, out=piece.slopes.grouped[0])
        passes.merge(piece.slopes.queries.array, kept.seen.array)
        torch.mm(kept.seen.tensor, weights.merge.turned, out=piece.stream.tensor)
        more = piece.stream.array
        passes.add_norm(first.stream, more, weights.ffn_norm, self.eps, second.stream, second.scales, second.normed.array)
        torch.mm(second.normed.tensor, weights.gate_up.turned, out=kept.both.tensor)
        passes.gate(kept.both.array, kept.inner.array)
        torch.mm(kept.inner.tensor, weights.down.turned, out=piece.stream.tensor)

    def backward(self, outer: Any, weights: list[Tensor]) -> tuple[Tensor, Tensor, list[list[Tensor]]]:
        """The slopes of the stream, of all norms' weights, and of each layer's matrices."""
        room, layers = self.room, len(self.layers)
        matrices = [[w for w in weights[6 * layer : 6 * layer + 6] if w.ndim == 2] for layer in range(layers)]
        found = [[torch.empty_like(w) for w in of_layer] for of_layer in matrices]

        def work(piece: Piece, layer: int) -> None:
            if layer == layers - 1:
                piece.slope[:] = 0
                last, copy = piece.last, piece.layers[-1].of_end.array
                passes.norm_slope(last.stream, self.norm, last.scales, outer[piece.rows], piece.slope, copy, last.by_text)
            else:
                self._products(piece, layer + 1, found[layer + 1])
            if layer >= 0:
                self._layer_back(piece, piece.layers[layer], self.layers[layer])

        for layer in range(layers - 1, -2, -1):
            self._share(functools.partial(work, layer=layer))
        return room.slope.clone(), room.by_text.sum(1), found

    def _layer_back(self, piece: Piece, kept: Layer, weights: Weights) -> None:
        first, second, heads, slopes = kept.first, kept.second, kept.attention, piece.slopes
        queries, keys, values, shares = heads.grouped
        of_queries, of_keys, of_values, of_shares = slopes.grouped
        of_normed = piece.stream
        torch.mm(kept.of_end.tensor, weights.down.given, out=piece.inner.tensor)
        passes.gate_slope(kept.both.array, piece.inner.array, kept.of_both.array)
        torch.mm(kept.of_both.tensor, weights.gate_up.given, out=of_normed.tensor)
        read = second.stream, weights.ffn_norm, second.scales, of_normed.array
        passes.norm_slope(*read, piece.slope, kept.of_middle.array, second.by_text)

        torch.mm(kept.of_middle.tensor, weights.merge.given, out=piece.merged.tensor)
        passes.split(piece.merged.array, piece.apart.array)
        seen = piece.apart.tensor.view_as(of_queries)
        torch.bmm(shares.transpose(1, 2), seen, out=of_values)
        torch.bmm(seen, values.transpose(1, 2), out=of_shares)
        passes.softmax_slope(heads.shares.array, self.scale, slopes.shares.array)
        torch.bmm(of_shares, keys, out=of_queries)
        torch.bmm(of_shares.transpose(1, 2), queries, out=of_keys)
        passes.turn_back(slopes.queries.array, slopes.keys.array, slopes.values.array, *self.tables, kept.of_every.array)
        torch.mm(kept.of_every.tensor, weights.qkv.given, out=of_normed.tensor)
        read = first.stream, weights.attention_norm, first.scales, of_normed.array
        passes.norm_slope(*read, piece.slope, kept.of_end_before.array, first.by_text)

    def _products(self, piece: Piece, layer: int, found: list[Tensor]) -> None:
        """This piece's rows of the gradients of a layer's matrices, which all pieces have made the factors of."""
        for (a, b), product in zip(self.room.products[layer], found, strict=True):
            parts = self.room.sizes.parts
            rows = slice(len(product) * piece.number // parts, len(product) * (piece.number + 1) // parts)
            if a.dtype is product.dtype:
                torch.mm(a[:, rows].t(), b, out=product[rows])
            else:
                product[rows] = torch.mm(a[:, rows].t(), b)

    def _share(self, work: Callable[[Piece], None]) -> None:
        """``work`` of all pieces, among threads, where PyTorch has to do with one and has to be told that there is no graph."""
        before, pieces = torch.get_num_threads(), self.room.pieces

        def some(part: int, parts: int) -> None:
            if parts > 1 and torch.get_num_threads() > 1:
                torch.set_num_threads(1)
            with torch.no_grad():
                for piece in pieces[len(pieces) * part // parts : len(pieces) * (part + 1) // parts]:
                    work(piece)

        try:
            share(some, self.work)
        finally:
            if torch.get_num_threads() != before:
                torch.set_num_threads(before)
