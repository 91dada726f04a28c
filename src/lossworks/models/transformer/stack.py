"""All blocks of a Transformer and its last norm as one step of autograd, for training on a CPU.

A small Transformer spends a third of its time beside the matrix products: in calls, in passes over memory, and in threads that
wait for one another at the end of each. Here each thread takes some of the batch's texts through all layers by itself, its
products on one core each; between them stand the compiled ``kernels``. Backwards the threads meet once a layer,
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

from ...core.threads import dividing, share
from . import kernels
from .ops import RmsNorm
from .workspace import Layer, Sizes, Weights, Workspace, WorkspaceLease, WorkspaceSlice, layer_weights

if TYPE_CHECKING:
    from jaxtyping import Float

    from .model import Block, Body

_LONGEST = 256  # tokens; the attention probabilities of a longer row take more memory than they save time
_EVEN = 1.1  # the most that a thread may have to do beyond its share
_ALL = 0, 1  # of a kernel's rows: the threads have divided them already
_PACE = 16  # weights are multiplied this much faster than ``share`` reckons


def stacked(body: Body, x: Float[Tensor, "B T d"]) -> Float[Tensor, "B T d"]:
    """The states after all blocks and the norm, each token seeing those before it; where ``stackable`` says so."""
    weights = [module.weight for block in body.blocks for module in _modules(cast("Block", block))]
    states: Tensor = _Stack.apply(body, x.contiguous(), body.norm.weight, *weights)  # type: ignore[no-untyped-call]
    return states


def stackable(body: Body, x: Float[Tensor, "B T d"]) -> bool:
    """Whether there is a gradient to be made, of plain float32 weights on the CPU, and the rows divide among threads."""
    if not torch.is_grad_enabled() or torch.compiler.is_compiling() or (body.training and body.spec.dropout):
        return False
    if not x.is_cpu or x.dtype is not torch.float32 or x.shape[1] > _LONGEST or _autocast_dtype() not in (None, torch.bfloat16):
        return False
    parts = dividing()
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
    return block.attention_norm, block.qkv, block.o_proj, block.ffn_norm, block.gate_up, block.down


def _autocast_dtype() -> torch.dtype | None:
    """What products are in under autocast; None: as they are."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None


class _Stack(Function):
    @staticmethod
    def forward(ctx: Any, body: Body, x: Tensor, norm: Tensor, *weights: Tensor) -> Tensor:
        spec, dtype = body.spec, _autocast_dtype() or torch.float32
        texts, tokens, width = x.shape
        heads, shared, head = spec.heads, spec.shared_heads, spec.head_width
        sizes = Sizes(texts, tokens, spec.layers, width, heads, shared, head, spec.ffn_width, dtype, dividing())
        lease = WorkspaceLease(body.workspaces, body.workspaces.take(sizes))
        found = torch.empty_like(x)
        with torch.autocast("cpu", enabled=False):
            run = _Run(lease.workspace, layer_weights(lease.workspace, weights), norm.detach().numpy(), body)
            run.forward(x.detach().view(-1, x.shape[2]).numpy(), found.view(-1, x.shape[2]).numpy())
        ctx.save_for_backward(norm, *weights)  # PyTorch sees by them whether a weight was changed before its gradient is made
        ctx.lease, ctx.run = lease, run
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        _, *weights = ctx.saved_tensors
        given = grad_output.contiguous()
        with torch.autocast("cpu", enabled=False):
            grad, norms, matrices = ctx.run.backward(given.view(-1, given.shape[2]).numpy(), weights)
        found = [norms[-1]]
        for layer, (qkv, o_proj, gate_up, down) in enumerate(matrices):
            found += [norms[2 * layer], qkv, o_proj, norms[2 * layer + 1], gate_up, down]
        return None, grad.view_as(given), *found


class _Run:
    """One forward and backward pass through a workspace."""

    def __init__(self, workspace: Workspace, layers: list[Weights], norm: Any, body: Body) -> None:
        self.workspace, self.layers, self.norm, self.eps = workspace, layers, norm, body.spec.eps
        self.tables = body.cosines[: workspace.sizes.tokens].numpy(), body.sines[: workspace.sizes.tokens].numpy()
        self.scale = np.float32(workspace.sizes.head**-0.5)
        matrices = sum(m.weight.numel() for w in layers for m in (w.qkv, w.o_proj, w.gate_up, w.down))
        self.work = len(workspace.grad) * matrices // _PACE

    def forward(self, x: Any, found: Any) -> None:
        """All texts through all layers."""

        def work(part: WorkspaceSlice) -> None:
            before, added = part.layers[0].first.stream, part.nothing
            before[:] = x[part.rows]
            for kept, weights in zip(part.layers, self.layers, strict=True):
                self._layer(part, kept, weights, before, added)
                before, added = kept.second.stream, part.stream.array
            last = part.last
            kernels.add_norm(*_ALL, before, added, self.norm, self.eps, last.stream, last.scales, found[part.rows])

        self._share(work)

    def _layer(self, part: WorkspaceSlice, kept: Layer, weights: Weights, before: Any, added: Any) -> None:
        first, second, heads = kept.first, kept.second, kept.attention
        queries, keys, values, attn_probs = heads.grouped
        kernels.add_norm(*_ALL, before, added, weights.attention_norm, self.eps, first.stream, first.scales, first.normed.array)
        torch.mm(first.normed.tensor, weights.qkv.transposed, out=part.qkv.tensor)
        kernels.apply_rotary(*_ALL, part.qkv.array, *self.tables, heads.queries.array, heads.keys.array, heads.values.array)
        torch.bmm(queries, keys.transpose(1, 2), out=attn_probs)
        kernels.causal_softmax(*_ALL, heads.attn_probs.array, self.scale, part.row_scores)
        torch.bmm(attn_probs, values, out=part.grads.grouped[0])
        kernels.merge_heads(*_ALL, part.grads.queries.array, kept.attn_out.array)
        torch.mm(kept.attn_out.tensor, weights.o_proj.transposed, out=part.stream.tensor)
        given = first.stream, part.stream.array, weights.ffn_norm, self.eps
        kernels.add_norm(*_ALL, *given, second.stream, second.scales, second.normed.array)
        torch.mm(second.normed.tensor, weights.gate_up.transposed, out=kept.gate_up.tensor)
        kernels.swiglu(*_ALL, kept.gate_up.array, kept.inner.array)
        torch.mm(kept.inner.tensor, weights.down.transposed, out=part.stream.tensor)

    def backward(self, grad_output: Any, weights: list[Tensor]) -> tuple[Tensor, Tensor, list[list[Tensor]]]:
        """The gradients of the stream, of all norms' weights, and of each layer's matrices."""
        workspace, layers = self.workspace, len(self.layers)
        matrices = [[w for w in weights[6 * layer : 6 * layer + 6] if w.ndim == 2] for layer in range(layers)]
        found = [[torch.empty_like(w) for w in of_layer] for of_layer in matrices]

        def work(part: WorkspaceSlice, layer: int) -> None:
            if layer == layers - 1:
                last, copy, nothing = part.last, part.layers[-1].grad_end.array, part.grad[:0]
                read = last.stream, self.norm, last.scales, grad_output[part.rows], nothing
                kernels.norm_backward(*_ALL, *read, part.grad, copy, last.by_text)
            else:
                self._products(part, layer + 1, found[layer + 1])
            if layer >= 0:
                self._layer_back(part, part.layers[layer], self.layers[layer])

        for layer in range(layers - 1, -2, -1):
            self._share(functools.partial(work, layer=layer))
        return workspace.grad.clone(), workspace.by_text.sum(1), found

    def _layer_back(self, part: WorkspaceSlice, kept: Layer, weights: Weights) -> None:
        first, second, heads, grads = kept.first, kept.second, kept.attention, part.grads
        queries, keys, values, attn_probs = heads.grouped
        grad_queries, grad_keys, grad_values, grad_probs = grads.grouped
        grad_normed = part.stream
        torch.mm(kept.grad_end.tensor, weights.down.weight, out=part.inner.tensor)
        kernels.swiglu_backward(*_ALL, kept.gate_up.array, part.inner.array, kept.grad_gate_up.array)
        torch.mm(kept.grad_gate_up.tensor, weights.gate_up.weight, out=grad_normed.tensor)
        read = second.stream, weights.ffn_norm, second.scales, grad_normed.array, part.grad
        kernels.norm_backward(*_ALL, *read, part.grad, kept.grad_middle.array, second.by_text)

        torch.mm(kept.grad_middle.tensor, weights.o_proj.weight, out=part.grad_attn_out.tensor)
        kernels.split_heads(*_ALL, part.grad_attn_out.array, part.apart.array)
        grad_attn_out = part.apart.tensor.view_as(grad_queries)
        torch.bmm(attn_probs.transpose(1, 2), grad_attn_out, out=grad_values)
        torch.bmm(grad_attn_out, values.transpose(1, 2), out=grad_probs)
        kernels.softmax_backward(*_ALL, heads.attn_probs.array, self.scale, grads.attn_probs.array)
        torch.bmm(grad_probs, keys, out=grad_queries)
        torch.bmm(grad_probs.transpose(1, 2), queries, out=grad_keys)
        given = grads.queries.array, grads.keys.array, grads.values.array
        kernels.rotary_backward(*_ALL, *given, *self.tables, kept.grad_qkv.array)
        torch.mm(kept.grad_qkv.tensor, weights.qkv.weight, out=grad_normed.tensor)
        read = first.stream, weights.attention_norm, first.scales, grad_normed.array, part.grad
        kernels.norm_backward(*_ALL, *read, part.grad, kept.grad_end_before.array, first.by_text)

    def _products(self, part: WorkspaceSlice, layer: int, found: list[Tensor]) -> None:
        """This slice's rows of the gradients of a layer's matrices, which all have made the factors of."""
        for (a, b), product in zip(self.workspace.products[layer], found, strict=True):
            parts = self.workspace.sizes.parts
            rows = slice(len(product) * part.number // parts, len(product) * (part.number + 1) // parts)
            if a.dtype is product.dtype:
                torch.mm(a[:, rows].t(), b, out=product[rows])
            else:
                product[rows] = torch.mm(a[:, rows].t(), b)

    def _share(self, work: Callable[[WorkspaceSlice], None]) -> None:
        """``work`` of all slices, among threads, where PyTorch has to do with one and has to be told that there is no graph."""
        before, slices = torch.get_num_threads(), self.workspace.slices

        def some(part: int, parts: int) -> None:
            if parts > 1 and torch.get_num_threads() > 1:
                torch.set_num_threads(1)
            with torch.no_grad():
                for each in slices[len(slices) * part // parts : len(slices) * (part + 1) // parts]:
                    work(each)

        try:
            share(some, self.work)
        finally:
            if torch.get_num_threads() != before:
                torch.set_num_threads(before)
