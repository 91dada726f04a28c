"""SOAP: Adam in the eigenbasis of Shampoo's preconditioner."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..adamw_step import adamw_step
from ..base import Group, Optimizer, optimizers
from ..custom import ByGroup
from ..multi_tensor import state_dtype

if TYPE_CHECKING:
    from jaxtyping import Float

_SIDES = ("left", "right")
_STRIP = 128  # rows of L or R that are computed together, as far as the diagonal


@optimizers.add("soap", source="Vyas et al. 2024, arXiv:2409.11321, algorithm 3")
@dataclass(frozen=True, kw_only=True)
class SOAP(Optimizer):
    """L ← β₂L + (1-β₂)GGᵀ, R ← β₂R + (1-β₂)GᵀG; W ← W - lr · P N Qᵀ, where P and Q are their eigenvectors and N is Adam's step
    for the gradient PᵀGQ.

    Every so many steps (``every``) P and Q come nearer to the eigenvectors by one power iteration, P ← QR(LP), the largest
    first; second moments go along with their directions, the momentum is turned. The first gradient only sets P and Q.
    A side longer than max_dim is left as it is; a tensor of more dimensions is taken as the matrix of its rows. Vectors, and
    matrices with two such sides, go by AdamW. A side of n costs the memory of two n × n matrices; the rows of embeddings
    and heads, one a token, are a side that is always left as it is.
    Domain: lr > 0, 0 <= beta1, beta2 < 1, eps > 0, every >= 1, max_dim >= 1.  Limit: with max_dim = 1 it is Adam for all that is
    longer.
    The epsilon stands beside √v̂, as in adam.
    """

    lr: float = 0.01
    beta1: float = 0.95
    beta2: float = 0.95
    eps: float = 1e-8
    every: int = 10
    max_dim: int = 10_000
    shares = ("beta1", "beta2")
    counts = ("every", "max_dim")

    def torch(self, groups: list[Group]) -> torch.optim.Optimizer:
        return _SOAP(groups, {name: getattr(self, name) for name in ("lr", "beta1", "beta2", "eps", "every", "max_dim")})

    def divisor(self, state: dict[str, Any]) -> Tensor | float:
        if not int(state["step"]):  # the first gradient moved nothing
            return math.inf
        unbiased: Tensor = state["exp_avg_sq"] / (1 - self.beta2 ** int(state["step"]))
        if any(side in state for side in _SIDES):  # step sizes belong to directions; over all, their mean square is any basis's
            unbiased = unbiased.mean()
        return unbiased.sqrt() + self.eps


class _SOAP(ByGroup):
    def update(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        turned = [p for p in parameters if _sides(p, group)]
        plain = [p for p in parameters if not _sides(p, group)]
        if plain:
            adamw_step(self.state, plain, group)
        if turned and group["weight_decay"]:
            torch._foreach_mul_(turned, 1 - group["lr"] * group["weight_decay"])
        for p in turned:
            assert p.grad is not None
            state, gradient = self.state[p], p.grad.flatten(1).to(state_dtype(p))
            if state:
                state["step"] += 1
                p.add_(_adam(gradient, state, group).view_as(p), alpha=-group["lr"])
                _gather(gradient, state, group["beta2"])
                if int(state["step"]) % group["every"] == 0:
                    _refresh(state)
            else:
                _begin(gradient, state, group, _sides(p, group))


def _sides(p: Tensor, group: dict[str, Any]) -> tuple[str, ...]:
    """The sides that get a basis: those that are not too long, and of an embedding or a head its width alone."""
    if p.ndim < 2:
        return ()
    many = group["role"] in ("embedding", "head")  # one row a token, and no use in turning tokens into one another
    lengths = (math.inf if many else p.shape[0], p[0].numel())
    return tuple(side for side, length in zip(_SIDES, lengths, strict=True) if length <= group["max_dim"])


def _begin(gradient: Float[Tensor, "n m"], state: dict[str, Tensor], group: dict[str, Any], sides: tuple[str, ...]) -> None:
    state["step"] = torch.zeros(())
    state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
    for side, length in zip(_SIDES, gradient.shape, strict=True):
        if side in sides:
            state[side] = gradient.new_zeros(length, length)
    _gather(gradient, state, group["beta2"])
    for side in _SIDES:
        if side in state:
            state[f"{side}_basis"] = torch.linalg.eigh(state[side]).eigenvectors.flip(1)  # of the lower half; the largest first


def _gather(gradient: Float[Tensor, "n m"], state: dict[str, Tensor], beta2: float) -> None:
    """Take the gradient into the moments of the rows' and the columns' directions, of which the lower half is kept."""
    for side, x in zip(_SIDES, (gradient, gradient.mT), strict=True):
        for start in range(0, len(x), _STRIP) if side in state else ():
            end = start + _STRIP
            state[side][start:end, :end].addmm_(x[start:end], x[:end].mT, beta=beta2, alpha=1 - beta2)


def _adam(gradient: Float[Tensor, "n m"], state: dict[str, Tensor], group: dict[str, Any]) -> Float[Tensor, "n m"]:
    """Where Adam goes, its moments both kept in the basis: the momentum need not be turned at each step."""
    step, beta1, beta2 = int(state["step"]), group["beta1"], group["beta2"]
    turned = _into(gradient, state)
    momentum = state["exp_avg"].lerp_(turned, 1 - beta1)
    state["exp_avg_sq"].mul_(beta2).addcmul_(turned, turned, value=1 - beta2)
    deviation = torch.div(state["exp_avg_sq"], 1 - beta2**step, out=turned).sqrt_().add_(group["eps"])
    return _back(torch.div(momentum, deviation, out=deviation).div_(1 - beta1**step), state)


def _into(x: Float[Tensor, "n m"], state: dict[str, Tensor]) -> Float[Tensor, "n m"]:
    """PᵀXQ, as a tensor of its own."""
    if "left" in state:
        x = state["left_basis"].mT @ x
    return x @ state["right_basis"] if "right" in state else x


def _back(x: Float[Tensor, "n m"], state: dict[str, Tensor]) -> Float[Tensor, "n m"]:
    """PXQᵀ."""
    if "left" in state:
        x = state["left_basis"] @ x
    return x @ state["right_basis"].mT if "right" in state else x


def _refresh(state: dict[str, Tensor]) -> None:
    """Bring the bases nearer to the eigenvectors by a power iteration, and the moments into the new bases."""
    momentum = _back(state["exp_avg"], state)
    for number, side in enumerate(_SIDES):
        if side in state:
            basis = state[f"{side}_basis"]
            powered = (state[side].tril() + state[side].tril(-1).mT) @ basis
            order = (basis * powered).sum(0).argsort(descending=True)  # by the eigenvalues as they look in this basis
            reflected, scales = torch.geqrf(powered[:, order])
            state[f"{side}_basis"] = torch.linalg.householder_product(reflected, scales)  # the Q of QR alone
            state["exp_avg_sq"] = state["exp_avg_sq"].index_select(number, order)
    state["exp_avg"] = _into(momentum, state)
