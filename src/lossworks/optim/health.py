"""Whether a step can be made, and what it did: how long the gradient was, how far each part of the model moved for its size."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.lazy import Later
from .parts import summed

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from .roles import Role
else:
    torch = Later("torch")


@dataclass(frozen=True, slots=True)
class Health:
    """``gradient_norm`` of all parameters before clipping, None where a search makes its own; ``moved``: for each role
    ‖Δw‖ / ‖w‖, None where w was zero.
    """

    gradient_norm: float | None
    moved: dict[Role, float | None]


class Watch:
    """The weights before a step, tensors or arrays, to be compared with those after it."""

    def __init__(self, weights: Iterable[tuple[Any, Role]]) -> None:
        self._before = [(p, role, p.copy() if isinstance(p, np.ndarray) else p.detach().clone()) for p, role in weights]

    def seen(self, gradient_norm: float | None) -> Health:
        """What the step did."""
        sums: dict[Role, list[float]] = {}
        for p, role, before in self._before:
            of = sums.setdefault(role, [0.0, 0.0])
            of[0] += _squares((p if isinstance(p, np.ndarray) else p.detach()) - before)
            of[1] += _squares(before)
        flat = iter(summed([number for of in sums.values() for number in of], (p for p, *_ in self._before)))
        found = zip(sums, flat, flat, strict=True)
        ratios = {role: (math.sqrt(moved / size) if size > 0 else None) for role, moved, size in found}
        return Health(gradient_norm, ratios)


def _squares(numbers: Any) -> float:
    if isinstance(numbers, np.ndarray):
        return float(np.square(numbers, dtype=np.float64).sum())
    return float(torch.linalg.vector_norm(numbers).double().cpu().square())


def all_finite(tensors: list[Tensor]) -> bool:
    """Whether all elements are; a wait for each device."""
    dense = [t._values() if t.is_sparse else t for t in tensors]
    alike: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
    for t in dense:
        alike.setdefault((t.device, t.dtype), []).append(t)
    for (device, _), together in alike.items():
        found = torch.zeros(1, device=device)
        # One call for all of them; what it multiplies by is 1, which changes nothing.
        torch._amp_foreach_non_finite_check_and_unscale_(together, found, _one(device))
        if found.item():
            return False
    return True


@functools.cache
def _one(device: torch.device) -> Tensor:
    return torch.ones(1, device=device)
