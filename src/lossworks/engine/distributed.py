"""The processes that train together, as torchrun starts them, and the shards that the rows of every step are dealt into.

Every process has all weights and makes the same updates. A step's rows are dealt into as many virtual shards as a run was begun
with, however many processes there are; each shard's gradient and its random numbers are made by themselves, and the shards are
summed in one fixed order (``tree.py``). So any number of processes that divides the shards ends in the same bits. Nothing is ever
summed on the way: processes exchange bytes, and each adds them up alike.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from ..core.lazy import Later
from .peers import Peers

if TYPE_CHECKING:
    import torch
    from torch import Tensor, distributed
else:
    torch, distributed = Later("torch"), Later("torch.distributed")

B = TypeVar("B")
_LOOK = timedelta(seconds=1)  # how long a process waits for others before it looks whether they still live
_SOON = 3.0  # seconds after which it is known why an exchange failed


@dataclass(frozen=True, slots=True)
class World:
    """One of ``size`` processes, number ``rank``; the first one keeps the record. ``shards``: those of a step's rows, a multiple
    of ``size``; ``peers``: how they watch each other.
    """

    rank: int = 0
    size: int = 1
    shards: int = 1
    peers: Peers | None = field(default=None, compare=False, repr=False)
    in_step: ClassVar[bool] = False
    """Whether each micro-batch takes all processes, and sums their gradients: what one begins, all must end."""

    @property
    def is_first(self) -> bool:
        """Whether this one writes and speaks."""
        return self.rank == 0

    @property
    def own(self) -> range:
        """The shards whose gradients this process makes."""
        return self.own_of(self.rank)

    def own_of(self, rank: int) -> range:
        """Those of any process."""
        each = self.shards // self.size
        return range(rank * each, (rank + 1) * each)

    @property
    def threads(self) -> int | None:
        """Of a process, where there are shards: sums must not depend on how many processes share the cores, so it is what
        OMP_NUM_THREADS says, which torchrun sets to 1, or 1. None: as many as suit.
        """
        said = os.environ.get("OMP_NUM_THREADS", "")
        return None if self.shards == 1 else int(said) if said.isdecimal() and int(said) else 1

    def gather(self, *numbers: float, device: torch.device) -> list[list[float]]:
        """The numbers of each process."""
        if self.size == 1:
            return [list(numbers)]
        mine = torch.tensor(numbers, dtype=torch.float64, device=device)
        return [[float(number) for number in each] for each in self.all_gather(mine).tolist()]

    def gather_rows(self, mine: Tensor) -> list[Tensor]:
        """Of each process its rows, which are of one type and width but of any number."""
        if self.size == 1:
            return [mine]
        shapes = self.gather(len(mine), mine[0].numel() if len(mine) else 0, device=mine.device)
        most, width = (int(max(each)) for each in zip(*shapes, strict=True))
        padded = mine.new_zeros((most, width))
        if len(mine):
            padded[: len(mine)] = mine.reshape(len(mine), width)
        found = self.all_gather(padded)
        rest = mine.shape[1:] if len(mine) else torch.Size([width])
        return [each[: int(count)].reshape(int(count), *rest) for each, (count, _) in zip(found, shapes, strict=True)]

    def in_turn(self, mine: Tensor) -> Tensor:
        """What is known of some things in their order, the processes having taken them in turn: rows of this one's."""
        if self.size == 1:
            return mine
        parts = self.gather_rows(mine)
        whole = torch.empty((sum(map(len, parts)), *max(parts, key=len).shape[1:]), dtype=mine.dtype, device=mine.device)
        for rank, part in enumerate(parts):
            whole[rank :: self.size] = part.reshape(len(part), *whole.shape[1:])
        return whole

    def takes(self, number: int) -> bool:
        """Whether this process takes thing ``number`` of some that are taken in turn."""
        return number % self.size == self.rank

    def together(self, batches: Iterator[B], spare: Callable[[], B]) -> Iterator[tuple[B, bool]]:
        """Each micro-batch, and whether it counts. ``spare`` makes one for a process that has none where others need it."""
        return ((batch, True) for batch in batches)

    def of_first(self, text: str, device: str | torch.device) -> str:
        """The first process's text, in every process."""
        return self.texts(text if self.is_first else "", device)[0]

    def texts(self, text: str, device: str | torch.device) -> list[str]:
        """Each process's text, in every process."""
        if self.size == 1:
            return [text]
        mine = torch.tensor(list(text.encode()), dtype=torch.uint8, device=device)
        return [bytes(each.flatten().tolist()).decode() for each in self.gather_rows(mine[:, None])]

    def lanes(self, memory: Sequence[Tensor]) -> list[Tensor]:
        """The states of all lanes [1, lanes, width], each from the process whose shards it is in."""
        if self.size == 1:
            return list(memory)
        found = []
        for each in memory:
            first, last = (dealt(each.shape[1], self, shard) for shard in (self.own[0], self.own[-1]))
            mine = each[:, first.start : last.stop].transpose(0, 1).contiguous()
            found.append(torch.cat([part.reshape(-1, 1, each.shape[2]) for part in self.gather_rows(mine)]).transpose(0, 1))
        return found

    def all_gather(self, mine: Tensor) -> Tensor:
        """Each process's tensor, one after another; they are of one shape."""
        sent = _bytes(mine)
        found = sent.new_empty((self.size, len(sent)))
        if len(sent):
            self._exchange(distributed.all_gather, list(found.unbind()), sent)
        return found.view(mine.dtype).view(self.size, *mine.shape)

    def all_to_all(self, mine: Tensor) -> Tensor:
        """Of each process what it has for this one: row i of ``mine`` goes to process i."""
        sent = _bytes(mine)
        found = torch.empty_like(sent)
        self._exchange(distributed.all_to_all_single, found, sent)
        return found.view(mine.dtype).view(mine.shape)

    def _exchange(self, how: Any, *what: Any) -> None:
        """Wait for an exchange, as long as the others live."""
        with self.watched():
            work = how(*what, async_op=True)
            while True:
                try:
                    work.wait(_LOOK)
                    return
                except RuntimeError:
                    if work.is_completed():
                        raise
                    if self.peers is not None:
                        self.peers.check()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Raise PeerLost where an exchange in the block fails because a process is gone."""
        try:
            yield
        except RuntimeError:  # a connection is gone: somebody will say whose
            if self.peers is not None:
                self.peers.check(_SOON)
            raise

    @contextmanager
    def telling(self) -> Iterator[None]:
        """What ends the block in this process ends it in all."""
        if self.peers is None:
            yield
            return
        with self.peers.telling():
            yield


def dealt(count: int, world: World, shard: int) -> slice:
    """Which of ``count`` things, in their order, are in a shard."""
    return slice(count * shard // world.shards, count * (shard + 1) // world.shards)


def _bytes(tensor: Tensor) -> Tensor:
    return tensor.contiguous().flatten().view(torch.uint8)
