"""Weights that FSDP2 divides among processes: an optimiser steps this process's part of each as a tensor like any other.

A rule for single weights needs no more. What looks at a weight as a whole asks for it here, and every process asks alike: its
``whole`` numbers, its ``whole_shape``, and sums over all processes. For weights that are not divided all of this is the identity.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..core.lazy import Later

if TYPE_CHECKING:
    import torch
    from torch import Tensor, distributed
else:
    torch, distributed = Later("torch"), Later("torch.distributed")

_PART, _OF = "lossworks_part", "lossworks_whole"
"""Attributes of a divided parameter, a DTensor, and of this process's part of it: each leads to the other."""


def part_of(p: Tensor) -> Tensor:
    """This process's part of a divided parameter, always the same tensor, in its memory; any other parameter itself."""
    if not hasattr(p, "to_local"):
        return p
    if not hasattr(p, _PART):
        with torch.no_grad():
            part = p.detach().to_local()  # type: ignore[attr-defined]
        setattr(p, _PART, part)
        setattr(part, _OF, p)
    found: Tensor = getattr(p, _PART)
    return found


def parameter_of(part: Tensor) -> Tensor:
    """The parameter that ``part_of`` was asked for."""
    whole: Tensor = getattr(part, _OF, part)
    return whole


def is_divided(part: Tensor) -> bool:
    """Whether it is but a part of a parameter."""
    return hasattr(part, _OF)


def whole_shape(part: Tensor) -> torch.Size:
    """The shape of the parameter that it is a part of."""
    return parameter_of(part).shape


def whole(values: Tensor, part: Tensor) -> Tensor:
    """Numbers that stand beside each one of ``part``, of all processes: those of the whole parameter."""
    if not is_divided(part):
        return values
    return _beside(values, part).full_tensor()  # type: ignore[no-any-return]


def gathered(values: Tensor, part: Tensor) -> Tensor:
    """``whole`` in the first process, in the processor's memory; in the others the values as they are."""
    found = whole(values, part)
    return found.cpu() if parameter_of(part).device_mesh.get_local_rank() == 0 else values  # type: ignore[attr-defined]


def own(values: Tensor, part: Tensor) -> Tensor:
    """Of numbers beside each one of the whole parameter, those beside ``part``."""
    if not is_divided(part):
        return values
    mesh = parameter_of(part).device_mesh  # type: ignore[attr-defined]
    return chunk(values, mesh.get_local_rank(), mesh.size())


def take_gradients(parts: Iterable[Tensor]) -> None:
    """Let each part have the gradient that stands in its parameter."""
    for part in parts:
        p: Any = parameter_of(part)
        if p is not part and p.grad is not None:
            part.grad, p.grad = p.grad.to_local(), None


def clear_gradients(parts: Iterable[Tensor]) -> None:
    """Leave out those of parts and of their parameters."""
    for part in parts:
        part.grad = parameter_of(part).grad = None


def summed(numbers: list[float], parts: Iterable[Tensor]) -> list[float]:
    """Each number summed over the processes that ``parts`` are divided among."""
    one = next(iter(parts), None)
    if one is None or not is_divided(one):
        return numbers
    together = torch.tensor(numbers, dtype=torch.float64, device=one.device)
    distributed.all_reduce(together, group=parameter_of(one).device_mesh.get_group())  # type: ignore[attr-defined]
    return [float(number) for number in together.tolist()]


def _beside(values: Tensor, part: Tensor) -> Any:
    from torch.distributed.tensor import DTensor  # slow to import, and only divided weights need it

    p: Any = parameter_of(part)
    return DTensor.from_local(values, p.device_mesh, p.placements, run_check=False, shape=p.shape, stride=p.stride())


def chunk(values: Tensor, rank: int, size: int) -> Tensor:
    """The rows that process ``rank`` of ``size`` has, as PyTorch divides them: few are not enough for all."""
    found = values.chunk(size)
    return found[rank] if rank < len(found) else values[:0]
