"""The processes that train together, as torchrun starts them: each makes the gradient of a part of every step's rows.

Every process has all weights and makes the same updates. What is summed over processes is summed before it is divided, by the
tokens of all of them; so how rows are dealt out, evenly or not, changes nothing but the order of the sums.
"""

from __future__ import annotations

import atexit
import importlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed

from ..core.errors import UsageError

T = TypeVar("T", bound=np.generic)
B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class World:
    """One of ``size`` processes, number ``rank``; the first one keeps the record."""

    rank: int = 0
    size: int = 1
    in_step: ClassVar[bool] = False
    """Whether each micro-batch takes all processes: what one begins, all must end."""

    @property
    def is_first(self) -> bool:
        """Whether this one writes and speaks."""
        return self.rank == 0

    def share(self, rows: NDArray[T]) -> NDArray[T]:
        """This process's part of some rows, dealt out in turn."""
        return rows[self.rank :: self.size]

    def together(self, batches: Iterator[B], spare: Callable[[], B]) -> Iterator[tuple[B, bool]]:
        """Each micro-batch, and whether it counts. ``spare`` makes one for a process that has none where others need it."""
        return ((batch, True) for batch in batches)

    def agreed(self, amount: float) -> float:
        """The amount of this process, or nan where another's is not finite and the micro-batch is one of all."""
        return amount

    def sum(self, *numbers: float, device: torch.device) -> list[float]:
        """Each number summed over all processes."""
        if self.size == 1:
            return list(numbers)
        together = torch.tensor(numbers, dtype=torch.float64, device=device)
        distributed.all_reduce(together)
        return [float(number) for number in together.tolist()]

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Sum the gradients of all processes, in one exchange for each type of numbers; a missing one counts as 0."""
        if self.size == 1:
            return
        kinds: dict[torch.dtype, list[Tensor]] = {}
        for p in parameters:
            if p.requires_grad:
                p.grad = torch.zeros_like(p) if p.grad is None else p.grad
                kinds.setdefault(p.dtype, []).append(p.grad)
        for gradients in kinds.values():
            flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
            distributed.all_reduce(flat)
            parts = torch.split(flat, [gradient.numel() for gradient in gradients])
            torch._foreach_copy_(gradients, [part.view_as(gradient) for part, gradient in zip(parts, gradients, strict=True)])

    def of_first(self, text: str, device: torch.device) -> str:
        """The first process's text, in every process."""
        if self.size == 1:
            return text
        held = [text]
        distributed.broadcast_object_list(held, 0, device=device)
        return held[0]

    def lanes(self, memory: Sequence[Tensor]) -> list[Tensor]:
        """The states of all lanes [1, lanes, width], each from the process whose ``share`` it is."""
        if self.size == 1:
            return list(memory)
        whole = [torch.zeros_like(each) for each in memory]
        for mine, each in zip(whole, memory, strict=True):
            mine[:, self.rank :: self.size] = each[:, self.rank :: self.size]
            distributed.all_reduce(mine)
        return whole


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
        try:
            distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
        except (ValueError, RuntimeError) as error:
            raise UsageError(f"WORLD_SIZE is {size}, but the processes cannot meet ({error}). Start them by torchrun.") from None
        atexit.register(_leave)
    return World(distributed.get_rank(), distributed.get_world_size())


def _leave() -> None:
    """The group's threads, if they are still at work when the interpreter ends, now and then abort it."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def check_alone(joined: World) -> None:
    """Raise UsageError where torchrun started several processes and they have not joined for the work at hand."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size != joined.size:
        raise UsageError(
            f"torchrun started {size} processes, and this model is trained by one. Start it alone, or choose transformer or rnn."
        )
