"""The gradient of a step, of all its shards and processes: each shard's by itself, and their sum in the order of the tree."""

from __future__ import annotations

import torch
from torch import Tensor

from ..optim import Stepper
from .distributed import World
from .tree import TreeSum, cover

Gradient = list[Tensor | None]
"""Of each parameter; None where it has none, sparse where it is a table's of which few rows are read."""


class GradientSum:
    """Takes the gradients that stand in a stepper, shard by shard, and leaves their sum there.

    Where there is one shard, or the world has summed them already, its gradient stays where it stands. A sum over processes is
    made in slices, one a process, that go to and fro whole: no more is sent than by a ring of reductions, and each element is
    added up in the same order everywhere.
    """

    def __init__(self, world: World, stepper: Stepper) -> None:
        self.world, self.stepper = world, stepper
        self._stands = world.shards == 1 or world.in_step
        self._tree: TreeSum[Gradient] = TreeSum(world.shards, _added)

    def take(self, shard: int) -> None:
        """Take the gradient that stands, which is that of ``shard``."""
        if not self._stands:
            self._tree.put((shard, shard + 1), self.stepper.take_gradient())

    @torch.no_grad()
    def finish(self) -> None:
        """Have the sum stand there."""
        if self._stands:
            return
        if self.world.size > 1:
            self._exchange()
        self.stepper.give_gradient(self._tree.total)

    def _exchange(self) -> None:
        parameters, sparse = self.stepper.parameters, self.stepper.sparse
        nodes = [self._tree.nodes[node] for node in self._covers[self.world.rank]]
        total: Gradient = [None] * len(parameters)
        for dtype in dict.fromkeys(p.dtype for p in parameters):
            whole = [at for at, p in enumerate(parameters) if p.dtype == dtype and not sparse[at]]
            if whole:
                summed = self._of_slices([parameters[at] for at in whole], [[node[at] for at in whole] for node in nodes])
                for at, gradient in zip(whole, summed, strict=True):
                    total[at] = gradient
        for at, p in enumerate(parameters):
            if sparse[at]:
                total[at] = self._of_rows(p, [node[at] for node in nodes])
        self._tree.nodes = {(0, self.world.shards): total}

    @property
    def _covers(self) -> list[list[tuple[int, int]]]:
        """Of each process the nodes that it can sum by itself."""
        owns = map(self.world.own_of, range(self.world.size))
        return [cover((own.start, own.stop), (0, self.world.shards)) for own in owns]

    def _of_slices(self, parameters: list[Tensor], nodes: list[Gradient]) -> Gradient:
        """The sums of whole gradients of one type."""
        sizes, size = [p.numel() for p in parameters], self.world.size
        count = sum(sizes) + len(sizes)  # and of each parameter, whether it has one
        most = max(map(len, self._covers))
        sent = parameters[0].new_zeros((most, size * -(-count // size)))
        for row, node in zip(sent, nodes, strict=False):
            torch.cat(list(_flat(parameters, node)), out=row[:count])
        slices = self.world.all_to_all(sent.view(most, size, -1).transpose(0, 1))
        tree: TreeSum[Tensor] = TreeSum(self.world.shards, torch.add)
        for of, own in zip(slices, self._covers, strict=True):
            for node_slice, span in zip(of, own, strict=False):
                tree.put(span, node_slice)
        whole = self.world.all_gather(tree.total).flatten()[:count]
        *parts, there = torch.split(whole, [*sizes, len(sizes)])
        return [part.view_as(p) if has else None for p, part, has in zip(parameters, parts, (there > 0).tolist(), strict=True)]

    def _of_rows(self, parameter: Tensor, nodes: Gradient) -> Tensor | None:
        """The sum of sparse gradients of one parameter, from all rows that any process has."""
        tree: TreeSum[Tensor] = TreeSum(self.world.shards, _rows_added)
        covers = self._covers
        for number in range(max(map(len, covers))):
            mine = nodes[number] if number < len(nodes) else None
            mine = _sparse(parameter.new_zeros((0, *parameter.shape[1:])), None, parameter) if mine is None else mine
            rows, values = (self.world.gather_rows(each) for each in (mine.indices()[0], mine.values()))
            for own, at, value in zip(covers, rows, values, strict=True):
                if number < len(own):
                    tree.put(own[number], _sparse(value.reshape(-1, *parameter.shape[1:]), at.flatten(), parameter))
        return tree.total if len(tree.total.values()) else None


def _flat(parameters: list[Tensor], gradients: Gradient) -> list[Tensor]:
    """All elements, and of each parameter whether it has any. One without counts -0, which changes no sum, not even of zeros."""
    given = [
        p.new_full((p.numel(),), -0.0) if each is None else each.reshape(-1)
        for p, each in zip(parameters, gradients, strict=True)
    ]
    return [*given, parameters[0].new_tensor([0.0 if each is None else 1.0 for each in gradients])]


def _sparse(values: Tensor, rows: Tensor | None, like: Tensor) -> Tensor:
    rows = torch.empty(0, dtype=torch.int64, device=like.device) if rows is None else rows
    return torch.sparse_coo_tensor(rows[None], values, like.shape, is_coalesced=True, check_invariants=False)


def _rows_added(one: Tensor, other: Tensor) -> Tensor:
    return (one + other).coalesce()


@torch.no_grad()
def _added(one: Gradient, other: Gradient) -> Gradient:
    """The sum of two gradients, in the place of the first."""
    both = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    whole = [(a, b) for a, b in both if not a.is_sparse]
    if whole:
        torch._foreach_add_([a for a, _ in whole], [b for _, b in whole])
    return [b if a is None else a if b is None or not a.is_sparse else _rows_added(a, b) for a, b in zip(one, other, strict=True)]
