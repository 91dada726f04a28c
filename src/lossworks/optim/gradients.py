"""The gradients of a step, where they stand: in rows of ours, or in the parameters."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .health import all_finite
from .parts import clear_gradients, is_divided, summed, take_gradients
from .rows import Rows, taken


class Gradients:
    """Of parameters by their names, or of parts. ``rows``: of all of them, where they are stepped so; else there are none."""

    def __init__(self, names: dict[Tensor, str], rows: list[Rows]) -> None:
        self.names, self.rows = names, rows
        self._whole: dict[Tensor, Tensor] = {}  # memory for whole gradients of tables

    def collect(self) -> None:
        """Take over those of what is stepped by rows or divided; of tables each row once."""
        for rows in self.rows:
            rows.collect()
        take_gradients(self.names)
        for p in self._sparse:
            p.grad = p.grad.coalesce()  # type: ignore[union-attr]

    def spread(self) -> None:
        """Have those of tables stand whole, zero where nothing was read; their memory is kept for the next."""
        for p in self._sparse:
            rows, values = p.grad.indices()[0], p.grad.values()  # type: ignore[union-attr]
            if p in self._whole:
                self._whole[p].zero_()  # all of it: decay and penalties add to rows that were not read
            else:
                self._whole[p] = torch.zeros_like(p)
            p.grad = self._whole[p].index_copy_(0, rows, values)

    def clear(self) -> None:
        """Leave them out."""
        for rows in self.rows:
            rows.gradient.clear()
        clear_gradients(self.names)

    def take(self) -> list[Tensor | None]:
        """Those gathered so far, which then stand nowhere; of what is read by rows sparse."""
        return [rows.take() for rows in self.rows] if self.rows else [taken(p) for p in self.parameters]

    def give(self, gradients: list[Tensor | None]) -> None:
        """Have them stand where they were taken from."""
        for rows, gradient in zip(self.rows, gradients, strict=False):
            rows.give(gradient)
        if not self.rows:
            for p, gradient in zip(self.parameters, gradients, strict=True):
                p.grad = gradient

    @property
    def parameters(self) -> list[Tensor]:
        """In the order in which gradients are taken."""
        return [rows.parameter for rows in self.rows] or list(self.names)

    def not_finite(self) -> list[str]:
        """The parameters that have one with nan or infinity."""
        if self.rows:
            return [self.names[rows.parameter] for rows in self.rows if not rows.gradient.is_finite]
        if not summed([not all_finite(self._values)], self.names)[0]:
            return []
        bad = summed([p.grad is not None and not all_finite([p.grad]) for p in self.names], self.names)
        return [at for at, found in zip(self.names.values(), bad, strict=True) if found]

    def norm(self) -> float:
        """Of all together."""
        if self.rows:
            return math.sqrt(sum(rows.squares() for rows in self.rows))
        own = float(nn.utils.get_total_norm(self._values))
        return math.sqrt(summed([own**2], self.names)[0]) if any(map(is_divided, self.names)) else own

    def scale(self, by: float) -> None:
        """Multiply them."""
        for rows in self.rows:
            rows.scale(by)
        if not self.rows:
            torch._foreach_mul_(self._values, by)

    @property
    def _values(self) -> list[Tensor]:
        """All numbers that are not zero because nothing was read."""
        given = [p.grad for p in self.names if p.grad is not None]
        return [each.values() if each.is_sparse else each for each in given]

    @property
    def _sparse(self) -> list[Tensor]:
        return [p for p in self.names if p.grad is not None and p.grad.is_sparse]
