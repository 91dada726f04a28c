"""Muon: momentum whose step turns every direction of a matrix alike."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...core.errors import UsageError
from ...core.machine import fast_dtype
from ..adamw_step import adamw_step
from ..base import Group, Optimizer, optimizers
from ..custom import ByGroup, moments
from ..multi_tensor import state_dtype
from ..parts import own, whole, whole_shape

if TYPE_CHECKING:
    from jaxtyping import Float

A, B, C = 3.4445, -4.7750, 2.0315  # Jordan's: the steepest at 0 whose iterates stay near 1, between about 0.7 and 1.2
_PRECISIONS = {"auto": None, "bfloat16": torch.bfloat16, "float32": torch.float32, "float64": torch.float64}
_TOGETHER = 2**24  # scalars in one batched product; more would gain nothing and take memory


@optimizers.add("muon", source="Jordan et al. 2024, Muon: An optimizer for hidden layers; Liu et al. 2025, arXiv:2502.16982")
@dataclass(frozen=True, kw_only=True)
class Muon(Optimizer):
    """B ← momentum · B + G, W ← W - lr · scale · O, where O is G + momentum · B with all its singular values brought near 1.

    O is found by ``steps`` iterations X ← aX + (bA + cA²)X with A = XXᵀ. The scale 0.2 √(larger side) makes a step as large as
    AdamW's (match_adamw); without it the scale is √(rows/columns), 1 at least. Hidden matrices alone are stepped so;
    embeddings, the head and vectors by AdamW, at the rate adam_lr (none: lr). Without a module, every matrix counts as hidden.
    Domain: lr > 0, 0 <= momentum, beta1, beta2 < 1, eps > 0, steps >= 1, weight_decay >= 0; precision is auto, bfloat16, float32
    or float64. Limit: with many steps and other coefficients O would be UVᵀ of G = UΣVᵀ.
    auto iterates in bfloat16 where the CPU multiplies it natively, else in float32; float64 stays itself.
    """

    lr: float = 0.01
    momentum: float = 0.95
    nesterov: bool = True
    steps: int = 5
    match_adamw: bool = True
    weight_decay: float = 0.1
    adam_lr: float | None = None
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    precision: str = "auto"
    shares = ("momentum", "beta1", "beta2")
    counts = ("steps",)
    divides = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.adam_lr is not None and not 0 < self.adam_lr < math.inf:
            raise UsageError(f"adam_lr is {self.adam_lr}; wanted a finite number above 0, or none.")
        if self.precision not in _PRECISIONS:
            raise UsageError(f"precision is {self.precision!r}; wanted one of {', '.join(_PRECISIONS)}.")

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        for group in groups:
            group["lr"] = self.lr if group["role"] == "matrix" else self.adam_lr or self.lr
        names = ("lr", "momentum", "nesterov", "steps", "match_adamw", "beta1", "beta2", "eps", "precision")
        return _Muon(groups, {name: getattr(self, name) for name in names})

    def divisor(self, state: dict[str, Any]) -> Tensor | float:
        if "momentum" in state:  # no weight of a matrix has a step size of its own
            return 1.0
        unbiased: Tensor = state["exp_avg_sq"] / (1 - self.beta2 ** int(state["step"]))
        return unbiased.sqrt() + self.eps


class _Muon(ByGroup):
    def update(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        if group["role"] != "matrix":
            adamw_step(self.state, parameters, group)
            return
        if group["weight_decay"]:
            torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        for alike in _alike(parameters):
            ahead = [whole(self._direction(p, group), p).flatten(1) for p in alike]
            moves = orthogonal(ahead, group["steps"], _kind(alike[0], group["precision"]))
            for p, move in zip(alike, moves, strict=True):
                scale = _scale(whole_shape(p), group["match_adamw"])
                p.add_(own(move, p).view_as(p), alpha=-group["lr"] * scale)

    def _direction(self, p: Tensor, group: dict[str, Any]) -> Tensor:
        """Take the gradient into the momentum; where the step is to go."""
        assert p.grad is not None
        gradient, (momentum,) = p.grad.to(state_dtype(p)), moments(self.state[p], p, "momentum")
        momentum.mul_(group["momentum"]).add_(gradient)
        return torch.add(gradient, momentum, alpha=group["momentum"]) if group["nesterov"] else momentum


def orthogonal(matrices: list[Tensor], steps: int, kind: torch.dtype) -> Float[Tensor, "batch rows columns"]:
    """Each matrix, all of one shape, with its singular values brought near 1; the iterations run in ``kind``."""
    x = torch.empty(len(matrices), *matrices[0].shape, dtype=kind, device=matrices[0].device)
    for place, matrix in zip(x, matrices, strict=True):
        place.copy_(matrix)
    norms = torch.stack(torch._foreach_norm(matrices)).clamp_min(1e-7)
    x.mul_((1 / norms).to(kind)[:, None, None])
    tall = x.shape[1] > x.shape[2]  # then it is iterated from the right: the columns' products are fewer
    together = 2 * max(x.shape[1:]) > 3 * min(x.shape[1:])  # several steps at once then take less work
    for some in _divided(steps) if together else [1] * steps:
        by = _several(x.mT @ x if tall else x @ x.mT, some)
        alone = A if some == 1 else 0.0  # a single step adds aX itself, which is more exact
        x = torch.baddbmm(x, x, by, beta=alone) if tall else torch.baddbmm(x, by, x, beta=alone)
    return x


def _divided(steps: int) -> list[int]:
    """How many steps are made at once: three at first, as long as rounding has little to raise, then two."""
    first = min(steps, 3)
    return [first, *[2] * ((steps - first) // 2), *[1] * ((steps - first) % 2)]


def _several(gram: Float[Tensor, "batch n n"], steps: int) -> Float[Tensor, "batch n n"]:
    """Product of the ``steps`` factors a + bA + cA² to come; of a single one without its a.

    Between them A becomes PAP, so all products but those with X are among the small A. In bfloat16, five steps on one A raise its
    rounding, in the directions that are small, to the size of all else; three and two do not.
    """
    if steps == 1:
        return _quadratic(gram)
    product = None
    for _ in range(steps - 1):
        factor = _quadratic(gram)
        factor.diagonal(dim1=1, dim2=2).add_(A)
        gram = factor @ gram @ factor
        product = factor if product is None else factor @ product
    assert product is not None
    return torch.baddbmm(product, _quadratic(gram), product, beta=A)


def _quadratic(gram: Float[Tensor, "batch n n"]) -> Float[Tensor, "batch n n"]:
    """Bracket of the iteration: b A + c A²."""
    return torch.baddbmm(gram, gram, gram, beta=B, alpha=C)


def _alike(parameters: list[Tensor]) -> Iterable[list[Tensor]]:
    """Parameters whose matrices are of one shape, as many as are multiplied together."""
    found: dict[Any, list[Tensor]] = {}
    for p in parameters:
        rows, *others = whole_shape(p)
        found.setdefault((rows, math.prod(others), p.dtype, p.device), []).append(p)
    for (rows, columns, *_), alike in found.items():
        some = max(1, _TOGETHER // (rows * columns))
        for start in range(0, len(alike), some):
            yield alike[start : start + some]


def _scale(shape: torch.Size, match_adamw: bool) -> float:
    rows, columns = shape[0], shape[1:].numel()
    return 0.2 * math.sqrt(max(rows, columns)) if match_adamw else math.sqrt(max(1.0, rows / columns))


def _kind(p: Tensor, precision: str) -> torch.dtype:
    """What the iterations run in: ``precision``, or what is fast where the parameter lives and loses nothing that matters."""
    asked = _PRECISIONS[precision]
    if asked is not None:
        return asked
    if p.dtype == torch.float64:
        return torch.float64
    return torch.bfloat16 if p.device.type != "cpu" or fast_dtype() == "bfloat16" else torch.float32
