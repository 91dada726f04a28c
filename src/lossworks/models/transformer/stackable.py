"""When a Transformer goes through all its blocks as one step of autograd (``stack``), and when block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ...core.threads import dividing
from .ops import RmsNorm

if TYPE_CHECKING:
    from jaxtyping import Float

    from .model import Block, Body

_LONGEST = 256  # tokens; the attention probabilities of a longer row take more memory than they save time
_EVEN = 1.1  # the most that a thread may have to do beyond its share


def stackable(body: Body, x: Float[Tensor, "B T d"]) -> bool:
    """Whether there is a gradient to be made, of plain float32 weights on the CPU, and the rows divide among threads."""
    if not torch.is_grad_enabled() or torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack():
        return False  # the last: a mode that wants to see each operation; a profiler, or one that sees calls, must not
    if not x.is_cpu or x.dtype is not torch.float32 or x.shape[1] > _LONGEST or autocast_dtype() not in (None, torch.bfloat16):
        return False
    parts = dividing()
    if -(-len(x) // parts) * parts > _EVEN * len(x):
        return False
    return _plain(body.norm) and all(map(_as_made, body.blocks))


def _as_made(block: nn.Module) -> bool:
    """Whether a block does what the spec says, and drops nothing."""
    from .model import Block

    if type(block) is not Block or not _untouched(block) or not _untouched(block.dropout):
        return False
    if type(block.dropout) is not nn.Dropout or (block.dropout.training and block.dropout.p):
        return False
    return all(map(_plain, modules_of(block)))


def _untouched(module: nn.Module) -> bool:
    """Whether no hook wants to see what goes through, and nothing stands in its place."""
    hooks = module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks
    return not any(hooks) and "forward" not in vars(module)


def _plain(module: nn.Module) -> bool:
    """Whether a norm or a linear layer is what the spec made, and its weight is its own and trained."""
    if type(module) not in (RmsNorm, nn.Linear) or list(module._parameters.values())[1:] not in ([], [None]):
        return False
    weight = module._parameters.get("weight")
    if type(weight) is not nn.Parameter or not _untouched(module):
        return False
    return weight.dtype is torch.float32 and weight.is_cpu and weight.is_contiguous() and weight.requires_grad


def modules_of(block: Block) -> tuple[nn.Module, ...]:
    """The modules of a block that have weights, in the order of its pass."""
    return block.attention_norm, block.qkv, block.o_proj, block.ffn_norm, block.gate_up, block.down


def autocast_dtype() -> torch.dtype | None:
    """What products are in under autocast; None: as they are."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None
