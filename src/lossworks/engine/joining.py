"""How the processes that torchrun started find one another, agree on the run that they train, and part."""

from __future__ import annotations

import atexit
import importlib
import json
import os
from typing import TYPE_CHECKING

from ..core.errors import UsageError
from ..core.lazy import Later
from .distributed import World
from .peers import Peers

if TYPE_CHECKING:
    import torch
    from torch import distributed
else:
    torch, distributed = Later("torch"), Later("torch.distributed")

USUAL_SHARDS = 4
"""Where nobody says, and several processes train."""
_peers: list[Peers] = []  # of this process, once it has joined others


def world(device: str = "cpu") -> World:
    """The processes that torchrun started with this one, joined; only this one where it was started alone.

    Raises:
        UsageError: the environment says so, but names no place to meet.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return World()
    if not distributed.is_initialized():
        importlib.import_module("torch._dynamo")  # optimisers import it: after the group is made, that keeps it alive
        if device == "cuda":  # one each
            torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
        try:
            distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
        except (ValueError, RuntimeError) as error:
            raise UsageError(f"WORLD_SIZE is {size}, but the processes cannot meet ({error}). Start them by torchrun.") from None
        atexit.register(leave)
    joined = World(distributed.get_rank(), distributed.get_world_size(), distributed.get_world_size())
    if not _peers:
        _peers.append(Peers(joined.rank, joined.size, lambda text: joined.of_first(text, torch.device(device))))
    return World(joined.rank, joined.size, joined.shards, _peers[0])


def agreed(joined: World, begun: bool, before: int | None, wanted: int | None, device: str) -> tuple[bool, int]:
    """What the first process knows of the run: whether it was ``begun``, and the number of its shards.

    Args:
        joined: the processes.
        begun: whether this run goes on with one; before: the shards of that one, None where it had but one.
        wanted: the shards that were asked for.
        device: where the processes compute.

    Raises:
        UsageError: the shards cannot be dealt evenly to the processes.
    """
    begun, before = json.loads(joined.of_first(json.dumps([begun, before]), device))
    usual = joined.size if USUAL_SHARDS % joined.size or joined.size == 1 else USUAL_SHARDS
    shards = (before or 1) if begun and wanted is None else wanted or usual
    if shards % joined.size:
        fitting = ", ".join(str(size) for size in range(1, shards + 1) if not shards % size)
        other = "" if begun else f", or choose --shards {joined.size} or a multiple of it"
        parts = "1 shard" if shards == 1 else f"{shards} shards"
        raise UsageError(
            f"the rows of a step are dealt into {parts}, which {joined.size} processes cannot share evenly. "
            f"Start {fitting} of them{other}."
        )
    return begun, shards


def leave() -> None:
    """The group's threads, if they are still at work when the interpreter ends, now and then abort it."""
    for peers in _peers:
        peers.close()
    if distributed.is_initialized():
        distributed.destroy_process_group()


def check_alone(joined: World) -> None:
    """Raise UsageError where torchrun started several processes and they have not joined for the work at hand."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size != joined.size:
        raise UsageError(
            f"torchrun started {size} processes, and this model is trained by one. Start it alone, or choose one that is trained "
            "by steps (linear, bag, transformer, …)."
        )
