"""One pass over a last layer's positions: chunks for the matrix products, tiles for what is done element by element.

A chunk is as many positions as make the products efficient; its logits are the one large buffer. A tile is as many of its rows
as stay in the CPU's cache while a loss reads them and the gradient is written over them.

A chunk is three steps: its logits, by ranges of outcomes; its tiles; and its gradients, by rows and by ranges of outcomes. On a
CPU the tasks of a step are shared by a team of threads. Their shapes depend on those of the arguments alone, and each sum is one
task's, so that the result is the same on any number of threads, whoever ran what.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from ..core.errors import UsageError
from ..core.torch_threads import team, teammates, watched
from .base import Scores
from .dense import Dense
from .heads import Head
from .tile import Tile

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from .teacher import Teacher

_TILE = 1 << 20  # logits that a thread works on at once on a CPU: 4 MB in float32
_CHUNK = 256, 1024  # rows that make a product efficient: a quarter of the positions, but no fewer and no more than these
_SMALL = 1 << 23  # logits, of rows within these, that are held at once in any case: 32 MB in float32
_PASSES = 100  # products of a logit that take as long as all else that is done with it
_WORTH_SHARING = 4e8  # such products: some 10 ms

Read = Callable[[Scores, Tensor], Tensor]


class Outcome(NamedTuple):
    """What a pass gives: values of the kept positions, gradients, and the statistics asked for besides."""

    values: Tensor
    gradients: list[Tensor | None]
    also: dict[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkedHead:
    """How to go over M positions. ``kept``: the positions to visit, None for all; what lies outside costs nothing."""

    head: Head
    target: Int[Tensor, "M"]
    kept: Int[Tensor, "kept"] | None
    softcap: float | None
    temperature: float
    teacher: Teacher | None
    negatives: Int[Tensor, "M k"] | None
    dtype: torch.dtype

    @property
    def size(self) -> int:
        """How many positions are visited."""
        return len(self.target if self.kept is None else self.kept)

    @property
    def compute_dtype(self) -> torch.dtype:
        """What statistics and sums of gradients are held in."""
        return torch.float64 if self.dtype == torch.float64 else torch.float32

    @property
    def chunk(self) -> int:
        """Rows a chunk: the buffer stays a small part of what the naive way holds, or is half as large as the gradient of the
        weights, which each chunk goes through.

        One chunk needs no sums in float32 of a head in bfloat16: it is taken where their room is enough for the other rows.
        """
        trained = [t for t in self.head.tensors if t.requires_grad]
        half = sum(t.numel() for t in trained) // (2 * self.head.classes)
        rows = max(_CHUNK[0], min(_CHUNK[1], max(len(self.target) // 4, _SMALL // self.head.classes, half)))
        spared = 4 * sum(t.numel() for t in trained if t.dtype == torch.bfloat16)
        if self.size <= rows + spared // (self.dtype.itemsize * self.head.classes):
            rows = self.size
        return max(1, min(self.size, rows))

    def run(
        self,
        read: Read,
        hidden: Float[Tensor, "M D"],
        wanted: Sequence[bool],
        grad_output: Tensor | None = None,
        also: Sequence[str] = (),
    ) -> Outcome:
        """Read the scores of every kept position; with ``grad_output`` also the gradient of Σ grad_output · values.

        read: from scores and the positions they are of, to one value (or k values) a position.
        wanted: which gradients: of the hidden states, and of each of the head's tensors.
        """
        sums = self._room(hidden, wanted) if grad_output is not None else []
        buffer = hidden.new_empty(self.chunk, self.head.classes)
        spaces: list[Tensor] = []  # what tiles are worked in, as many as at once
        parts: list[tuple[Tensor, ...]] = []
        with torch.autocast(hidden.device.type, enabled=False), team(self._threads(hidden)) as do:
            for start in range(0, max(self.size, 1), self.chunk):  # no positions are a chunk too: of none
                rows = slice(start, min(start + self.chunk, self.size))
                at = rows if self.kept is None else self.kept[rows]
                some = hidden[at]
                z = buffer[: len(some)]
                do(self.head.logits(some, z, grad_output is not None))
                parts += do(self._tiles(read, z, at, spaces, None if grad_output is None else grad_output[rows], also))
                if grad_output is not None:
                    d_hidden = torch.empty_like(some) if wanted[0] else None
                    do(self.head.backward(some, z, [d_hidden, *sums[1:]], start == 0))
                    if d_hidden is not None and sums[0] is not None:
                        sums[0][at] = d_hidden
        values, *found = (torch.cat(part) for part in zip(*parts, strict=True))
        return Outcome(values, sums, dict(zip(also, found, strict=True)))

    def _threads(self, hidden: Tensor) -> int:
        """How many threads share the tasks: PyTorch's number, which a training may have set to one for the sake of small layers;
        what takes longer than threads take to begin is shared in any case.
        """
        if hidden.device.type != "cpu" or watched():
            return 1
        work = self.size * self.head.classes * (hidden.shape[-1] + _PASSES)
        return teammates() if work > _WORTH_SHARING else torch.get_num_threads()

    def dense(self, hidden: Float[Tensor, "C D"], at: Tensor | slice) -> Dense:
        """The scores of a few positions with their logits whole, without gradient."""
        z = hidden.new_empty(len(hidden), self.head.classes)
        with torch.no_grad(), team(1) as do:
            do(self.head.logits(hidden.detach(), z, False))
        return Dense(self._shaped(z.to(self.compute_dtype)), self.target[at])

    def _tiles(
        self,
        read: Read,
        z: Tensor,
        at: Tensor | slice,
        spaces: list[Tensor],
        grad_output: Tensor | None,
        also: Sequence[str],
    ) -> list[Callable[[], tuple[Tensor, ...]]]:
        """Tasks that give values and what is asked for besides; with ``grad_output`` they write the gradient over the logits."""
        teacher = None if self.teacher is None else self.teacher.rows(at)
        target, negatives = self.target[at], None if self.negatives is None else self.negatives[at]
        positions = at if isinstance(at, Tensor) else torch.arange(at.start, at.stop, device=z.device)
        height = max(1, _TILE // z.shape[1]) if z.device.type == "cpu" else max(1, len(z))

        def run(here: slice) -> tuple[Tensor, ...]:
            try:
                space = spaces.pop()
            except IndexError:
                space = z.new_empty(min(height, len(z)), z.shape[1], dtype=self.compute_dtype)
            shaped = self._shaped(z[here].to(self.compute_dtype))
            tile = Tile(
                shaped,
                target[here],
                None if teacher is None else teacher.rows(here),
                None if negatives is None else negatives[here],
                space[: len(shaped)],
            )
            with torch.set_grad_enabled(grad_output is not None):
                values = read(tile, positions[here])
            if values.shape[:1] != tile.target.shape:
                raise UsageError(
                    f"fused: a loss gave values {tuple(values.shape)} for {len(tile.target)} positions. Want one each."
                )
            found = values.detach().clone(), *(_statistic(tile, values, name) for name in also)
            if grad_output is not None:
                z[here] = self._unshaped(tile.backward(values, grad_output[here].to(values.dtype)), shaped)
            spaces.append(space)
            return found

        return [partial(run, slice(start, start + height)) for start in range(0, max(len(z), 1), height)]

    def _shaped(self, z: Tensor) -> Tensor:
        """Capped and tempered; may overwrite."""
        if self.softcap is not None:
            z = z.div_(self.softcap).tanh_().mul_(self.softcap)
        return z if self.temperature == 1 else z.div_(self.temperature)

    def _unshaped(self, d_z: Tensor, shaped: Tensor) -> Tensor:
        """From the gradient into shaped logits to that into the layer's own."""
        if self.temperature != 1:
            d_z = d_z.div_(self.temperature)
        if self.softcap is not None:
            d_z = d_z.mul_(1 - (shaped * (self.temperature / self.softcap)).square_())
        return d_z

    def _room(self, hidden: Tensor, wanted: Sequence[bool]) -> list[Tensor | None]:
        """Room for the gradients; a position's comes once, so that it needs no more digits, the head's tensors' are sums."""
        of_hidden = torch.empty_like if self.kept is None else torch.zeros_like
        whole = self.chunk >= self.size

        def of(tensor: Tensor) -> Tensor:
            as_it_is = whole and tensor.dtype == torch.bfloat16  # float16 overflows before it is divided by the weights
            return torch.empty_like(tensor, dtype=tensor.dtype if as_it_is else self.compute_dtype)

        every: list[tuple[Callable[[Tensor], Tensor], Tensor]]
        every = [(of_hidden, hidden), *((of, tensor) for tensor in self.head.tensors)]
        return [make(tensor) if want else None for (make, tensor), want in zip(every, wanted, strict=True)]

    def explain(self) -> str:
        """The way, in words."""
        left_out = "" if self.kept is None else f" of {len(self.target)}"
        chunks = -(-self.size // self.chunk)
        return (
            f"fused: {self.size}{left_out} positions in {chunks} chunks of {self.chunk}, {self.head.classes} outcomes; "
            f"products in {self.dtype}, statistics and sums of gradients in {self.compute_dtype}; "
            "mean() takes 3 products, values() 4"
        )


def _statistic(tile: Tile, values: Tensor, name: str) -> Tensor:
    found: Tensor = values if name == "values" else getattr(tile, name)
    return found.detach().clone()  # what it was read from is overwritten
