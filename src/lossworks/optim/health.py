"""Whether a step can be made, and what it did: how long the gradient was, how far each part of the model moved for its size."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .parts import summed
from .roles import Role


@dataclass(frozen=True, slots=True)
class Health:
    """``gradient_norm`` of all parameters before clipping, None where a search makes its own; ``moved``: for each role
    ‖Δw‖ / ‖w‖, None where w was zero.
    """

    gradient_norm: float | None
    moved: dict[Role, float | None]


class Watch:
    """The weights before a step, to be compared with those after it."""

    def __init__(self, roles: Mapping[Tensor, Role]) -> None:
        self._before = [(p, role, p.detach().clone()) for p, role in roles.items()]

    def seen(self, gradient_norm: float | None) -> Health:
        """What the step did."""
        sums: dict[Role, list[Tensor]] = {}
        for p, role, before in self._before:
            of = sums.setdefault(role, [torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)])
            of[0] += torch.linalg.vector_norm(p.detach() - before).double().cpu().square()
            of[1] += torch.linalg.vector_norm(before).double().cpu().square()
        flat = iter(summed([float(number) for of in sums.values() for number in of], (p for p, *_ in self._before)))
        found = zip(sums, flat, flat, strict=True)
        ratios = {role: (math.sqrt(moved / size) if size > 0 else None) for role, moved, size in found}
        return Health(gradient_norm, ratios)


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
