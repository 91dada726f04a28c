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
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from ...core.threads import dividing, share
from . import kernels
from .products import share_of_rows
from .stackable import autocast_dtype, modules_of
from .tape import AtOnce, Steps, Tape, apart, playable
from .workspace import Layer, Sizes, Weights, Workspace, WorkspaceSlice, layer_weights
from .workspace_pool import WorkspaceLease

if TYPE_CHECKING:
    from jaxtyping import Float

    from .model import Block, Body

_ALL = 0, 1  # of a kernel's rows: the threads have divided them already
Stage = Callable[[WorkspaceSlice, Steps], None]
_PACE = 16  # weights are multiplied this much faster than ``share`` reckons


def stacked(body: Body, x: Float[Tensor, "B T d"]) -> Float[Tensor, "B T d"]:
    """The states after all blocks and the norm, each token seeing those before it; where ``stackable`` says so."""
    weights = [module.weight for block in body.blocks for module in modules_of(cast("Block", block))]
    states: Tensor = _Stack.apply(body, x.contiguous(), body.norm.weight, *weights)  # type: ignore[no-untyped-call]
    return states


class _Stack(Function):
    @staticmethod
    def forward(ctx: Any, body: Body, x: Tensor, norm: Tensor, *weights: Tensor) -> Tensor:
        spec, dtype = body.spec, autocast_dtype() or torch.float32
        texts, tokens, width = x.shape
        heads, shared, head = spec.heads, spec.shared_heads, spec.head_width
        sizes = Sizes(texts, tokens, spec.layers, width, heads, shared, head, spec.ffn_width, dtype, dividing())
        lease = WorkspaceLease(body.workspaces, body.workspaces.take(sizes))
        with torch.autocast("cpu", enabled=False):
            run = _Run(lease.workspace, [w.detach() for w in weights], norm.detach(), body)
            found = torch.empty_like(x)  # no view of what the run makes: that could not be changed in place
            run.forward(x.detach().view(-1, width), found.view(-1, width))
        ctx.save_for_backward(norm, *weights)  # PyTorch sees by them whether a weight was changed before its gradient is made
        ctx.lease, ctx.run = lease, run
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        width = ctx.saved_tensors[0].numel()  # asked for, they are seen to be as they were
        given = grad_output.contiguous()
        with torch.autocast("cpu", enabled=False):
            grad, norms, matrices = ctx.run.backward(given.view(-1, width))
        if not torch._C._autograd._get_current_graph_task_keep_graph():
            del ctx.lease, ctx.run  # whoever keeps the loss keeps no workspace
        found = [norms[-1]]
        for layer, (qkv, o_proj, gate_up, down) in enumerate(matrices):
            found += [norms[2 * layer], qkv, o_proj, norms[2 * layer + 1], gate_up, down]
        return None, grad.view_as(given), *found


class _Run:
    """One forward and backward pass through a workspace."""

    def __init__(self, workspace: Workspace, weights: list[Tensor], norm: Tensor, body: Body) -> None:
        self.workspace, self.weights, self.norm, self.eps = workspace, weights, norm, body.spec.eps
        self.tables = [table[: workspace.sizes.tokens] for table in (body.cosines, body.sines)]
        self.scale = np.float32(workspace.sizes.head**-0.5)
        self.matrices = [w for w in weights if w.ndim == 2]
        self.work = len(workspace.grad) * sum(w.numel() for w in self.matrices) // _PACE

    @functools.cached_property
    def layers(self) -> list[Weights]:
        """The weights as products and kernels read them."""
        return layer_weights(self.workspace, self.weights)

    def forward(self, x: Tensor, found: Tensor) -> None:
        """All texts through all layers, into ``found``."""
        self.workspace.streams[0] = x

        def work(part: WorkspaceSlice, steps: Steps) -> None:
            before, added = part.layers[0].first.stream, part.nothing
            for kept, weights in zip(part.layers, self.layers, strict=True):
                self._layer(part, kept, weights, before, added, steps)
                before, added = kept.second.stream, part.stream.array
            given, last = (before, added, self.norm.numpy(), self.eps), part.last
            steps.run(kernels.add_norm, *given, last.stream, last.scales, found[part.rows].numpy())

        self._share("forward", [work], [found])

    def _layer(self, part: WorkspaceSlice, kept: Layer, weights: Weights, before: Any, added: Any, steps: Steps) -> None:
        first, second, heads = kept.first, kept.second, kept.attention
        queries, keys, values, attn_probs = heads.grouped
        given = before, added, weights.attention_norm, self.eps
        steps.run(kernels.add_norm, *given, first.stream, first.scales, first.normed.array)
        steps.multiply(first.normed.tensor, weights.qkv.transposed, part.qkv.tensor)
        turned = heads.queries.array, heads.keys.array, heads.values.array
        steps.run(kernels.apply_rotary, part.qkv.array, *map(Tensor.numpy, self.tables), *turned)
        steps.multiply(queries, keys.transpose(1, 2), attn_probs)
        steps.run(kernels.causal_softmax, heads.attn_probs.array, self.scale, part.row_scores)
        steps.multiply(attn_probs, values, part.grads.grouped[0])
        steps.run(kernels.merge_heads, part.grads.queries.array, kept.attn_out.array)
        steps.multiply(kept.attn_out.tensor, weights.o_proj.transposed, part.stream.tensor)
        given = first.stream, part.stream.array, weights.ffn_norm, self.eps
        steps.run(kernels.add_norm, *given, second.stream, second.scales, second.normed.array)
        steps.multiply(second.normed.tensor, weights.gate_up.transposed, kept.gate_up.tensor)
        steps.run(kernels.swiglu, kept.gate_up.array, kept.inner.array)
        steps.multiply(kept.inner.tensor, weights.down.transposed, part.stream.tensor)

    def backward(self, grad_output: Tensor) -> tuple[Tensor, Tensor, list[list[Tensor]]]:
        """The gradients of the stream, of all norms' weights, and of each layer's matrices."""
        workspace, layers = self.workspace, len(self.layers)
        found = [torch.empty(w.shape) for w in self.matrices]
        of_layers = [found[4 * layer : 4 * layer + 4] for layer in range(layers)]

        def work(part: WorkspaceSlice, steps: Steps, layer: int) -> None:
            if layer == layers - 1:
                last, copy, nothing = part.last, part.layers[-1].grad_end.array, part.grad[:0]
                read = last.stream, self.norm.numpy(), last.scales, grad_output[part.rows].numpy(), nothing
                steps.run(kernels.norm_backward, *read, part.grad, copy, last.by_text)
            else:
                self._products(part, layer + 1, of_layers[layer + 1], steps)
            if layer >= 0:
                self._layer_back(part, part.layers[layer], self.layers[layer], steps)

        stages: list[Stage] = [functools.partial(work, layer=layer) for layer in range(layers - 1, -2, -1)]
        self._share("backward", stages, [grad_output, *found])
        return workspace.grad.clone(), workspace.by_text.sum(1), of_layers

    def _layer_back(self, part: WorkspaceSlice, kept: Layer, weights: Weights, steps: Steps) -> None:
        first, second, heads, grads = kept.first, kept.second, kept.attention, part.grads
        queries, keys, values, attn_probs = heads.grouped
        grad_queries, grad_keys, grad_values, grad_probs = grads.grouped
        grad_normed = part.stream
        steps.multiply(kept.grad_end.tensor, weights.down.weight, part.inner.tensor)
        steps.run(kernels.swiglu_backward, kept.gate_up.array, part.inner.array, kept.grad_gate_up.array)
        steps.multiply(kept.grad_gate_up.tensor, weights.gate_up.weight, grad_normed.tensor)
        read = second.stream, weights.ffn_norm, second.scales, grad_normed.array, part.grad
        steps.run(kernels.norm_backward, *read, part.grad, kept.grad_middle.array, second.by_text)

        steps.multiply(kept.grad_middle.tensor, weights.o_proj.weight, part.grad_attn_out.tensor)
        steps.run(kernels.split_heads, part.grad_attn_out.array, part.apart.array)
        grad_attn_out = part.apart.tensor.view_as(grad_queries)
        steps.multiply(attn_probs.transpose(1, 2), grad_attn_out, grad_values)
        steps.multiply(grad_attn_out, values.transpose(1, 2), grad_probs)
        steps.run(kernels.softmax_backward, heads.attn_probs.array, self.scale, grads.attn_probs.array)
        steps.multiply(grad_probs, keys, grad_queries)
        steps.multiply(grad_probs.transpose(1, 2), queries, grad_keys)
        given = grads.queries.array, grads.keys.array, grads.values.array
        steps.run(kernels.rotary_backward, *given, *map(Tensor.numpy, self.tables), kept.grad_qkv.array)
        steps.multiply(kept.grad_qkv.tensor, weights.qkv.weight, grad_normed.tensor)
        read = first.stream, weights.attention_norm, first.scales, grad_normed.array, part.grad
        steps.run(kernels.norm_backward, *read, part.grad, kept.grad_end_before.array, first.by_text)

    def _products(self, part: WorkspaceSlice, layer: int, found: list[Tensor], steps: Steps) -> None:
        """This slice's share of the gradients of a layer's matrices, which all have made the factors of."""
        factors, parts = self.workspace.products[layer], self.workspace.sizes.parts
        for (a, b), product, rows in zip(factors, found, share_of_rows(found, part.number, parts), strict=True):
            if rows.start < rows.stop:
                steps.multiply(a[:, rows].t(), b, product[rows])

    def _share(self, name: str, stages: list[Stage], moving: list[Tensor]) -> None:
        """Have each of the ``stages`` done for all slices before the next: from its tape, where there can be one.

        moving: the tensors that lie elsewhere at each pass, besides the weights.
        """
        workspace, slices = self.workspace, self.workspace.slices
        moving = [*moving, self.norm, *self.tables, *self.weights]
        if workspace.sizes.dtype is not torch.float32 or not playable() or not apart(moving):
            for stage in stages:
                self._among_threads(functools.partial(_at_once, stage, slices), moving)
            return
        if name not in workspace.tapes:
            pieces = [functools.partial(stage, part) for stage in stages for part in slices]
            workspace.tapes[name] = Tape(pieces, moving)
        tape = workspace.tapes[name]
        tape.aim(moving)
        for first in range(0, len(stages) * len(slices), len(slices)):
            self._among_threads(functools.partial(tape.play, first), moving)

    def _among_threads(self, work: Callable[[int], None], moving: list[Tensor]) -> None:
        """``work`` of all slices, where PyTorch has to do with one thread and has to be told that there is no graph.

        A tape knows ``moving`` and this run by addresses alone; each thread is handed them, so that they stay until it is done.
        """
        before, slices = torch.get_num_threads(), len(self.workspace.slices)

        def some(part: int, parts: int, *held: Any) -> None:
            if torch.get_num_threads() > 1:
                torch.set_num_threads(1)
            with torch.no_grad():
                for each in range(slices * part // parts, slices * (part + 1) // parts):
                    work(each)

        try:
            share(some, self.work, self, moving)
        finally:
            if torch.get_num_threads() != before:
                torch.set_num_threads(before)


def _at_once(stage: Stage, slices: list[WorkspaceSlice], number: int) -> None:
    stage(slices[number], AtOnce())
