"""Sums in one fixed order: the parts 0 to ``count`` - 1 are added pairwise in a binary tree that ``count`` alone decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
Span = tuple[int, int]
"""A node of the tree: its first part, and the one after its last."""


class TreeSum(Generic[T]):
    """Takes the parts, or nodes of theirs, as they come and adds two neighbours as soon as both are there.

    add: of the values of two neighbouring nodes. Whoever has all parts of a node has the same value of it, to the bit.
    """

    def __init__(self, count: int, add: Callable[[T, T], T]) -> None:
        self.count, self.add = count, add
        self.nodes: dict[Span, T] = {}

    def put(self, node: Span, value: T) -> None:
        """Take the value of a node."""
        self.nodes[node] = value
        self._settle((0, self.count))

    @property
    def total(self) -> T:
        """The sum of all parts, once they are there."""
        return self.nodes[0, self.count]

    def _settle(self, node: Span) -> None:
        """Add whatever can be added below a node."""
        if node in self.nodes or node[1] - node[0] == 1:
            return
        left, right = halves(node)
        self._settle(left)
        self._settle(right)
        if left in self.nodes and right in self.nodes:
            self.nodes[node] = self.add(self.nodes.pop(left), self.nodes.pop(right))


def halves(node: Span) -> tuple[Span, Span]:
    """The two nodes below one; the left one has as many parts as the largest power of two that leaves some to the right."""
    first, last = node
    middle = first + (1 << (last - first - 1).bit_length() - 1)
    return (first, middle), (middle, last)


def cover(own: Span, node: Span) -> list[Span]:
    """The largest nodes below ``node`` that hold the parts ``own`` and no others."""
    if own[0] <= node[0] and node[1] <= own[1]:
        return [node]
    if node[1] <= own[0] or own[1] <= node[0]:
        return []
    return [found for half in halves(node) for found in cover(own, half)]
