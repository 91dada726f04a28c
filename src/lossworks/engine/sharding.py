"""FSDP2: weights, their gradients and the optimiser's state divided among processes, each block's weights gathered while it is
at work. A gradient is the sum of all processes', as without: the loss was divided by the tokens of all of them.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar, cast

import torch
from torch import nn

from ..core.errors import Diverged, Interrupted
from .callbacks import Callbacks
from .distributed import World

B = TypeVar("B")
M = TypeVar("M", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class ShardedWorld(World):
    """Processes that each hold a part of ``network``, and have one shard each. Gathering it takes all of them: they go through
    micro-batches abreast, and FSDP sums the gradients, in an order that depends on how many processes there are.
    """

    network: Any = None
    in_step: ClassVar[bool] = True

    @property
    def _device(self) -> torch.device:
        return cast("torch.device", next(self.network.parameters()).device)

    def together(self, batches: Iterator[B], spare: Callable[[], B]) -> Iterator[tuple[B, bool]]:
        """As many as the process with the most has; the others take their last one again, which does not count."""
        latest: B | None = None
        while True:
            batch = next(batches, None)
            if not any(each[0] for each in self.gather(batch is not None, device=self._device)):
                break
            if batch is None and latest is None:
                latest = spare()
            latest = latest if batch is None else batch
            yield cast("B", latest), batch is not None
        self.network.reshard()  # what a score has left gathered: the weights may move before they are read again


@contextmanager
def sharded(network: M, callbacks: Callbacks, sharding: str | None) -> Iterator[tuple[M, Callbacks]]:
    """The network to train in the block, and its callbacks. With "fsdp", and several processes, it is divided among them; after
    the block ``network`` has the whole trained weights again, in every process.
    """
    world = callbacks.world
    if sharding != "fsdp" or world.size == 1:
        yield network, callbacks
        return
    divided = _divide(network)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "FSDP2-wrapped module .* returned a view")  # no states are written on in place
        try:
            yield divided, replace(callbacks, world=ShardedWorld(world.rank, world.size, world.size, world.peers, divided))
        except (Diverged, Interrupted):  # which all processes raise together
            _gather(divided, network)
            raise
    _gather(divided, network)


def _divide(network: M) -> M:
    """A copy of a network that each process has a part of; the network itself is left without weights."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method

    kept = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    divided = copy.deepcopy(network, kept)  # with the same tensors: the weights are never there twice
    mesh = init_device_mesh(next(network.parameters()).device.type, (torch.distributed.get_world_size(),))
    for block in _blocks(divided):
        fully_shard(block, mesh=mesh)
    fully_shard(divided, mesh=mesh)
    for module in divided.modules():
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)  # gloo has no other way to divide by 1
    register_fsdp_forward_method(divided, "hidden")
    for p in network.parameters():
        p.data = p.data.new_empty(0)
    return divided


def _blocks(network: nn.Module) -> Iterator[nn.Module]:
    """The layers in the outermost lists of layers."""
    for child in network.children():
        yield from child if isinstance(child, nn.ModuleList) else _blocks(child)


@torch.no_grad()
def _gather(divided: Any, network: nn.Module) -> None:
    divided.reshard()
    for whole, p in zip(network.parameters(), divided.parameters(), strict=True):
        whole.data = p.full_tensor()
    network.train(divided.training)
