"""A moving average of the weights, to evaluate with in their place."""

from __future__ import annotations

import torch
from torch import Tensor

from .multi_tensor import state_dtype


class MovingAverage:
    """average ← d · average + (1 - d) · w after each step, with d = min(decay, (1 + step) / (10 + step)): young averages are
    of few steps. Source: Polyak & Juditsky 1992, SIAM J. Callbacks 30:838; the exponential form with this start as in
    TensorFlow's ExponentialMovingAverage.
    """

    def __init__(self, parameters: list[Tensor], decay: float) -> None:
        self.decay, self.parameters = decay, parameters
        self.averages = [p.detach().to(state_dtype(p), copy=True) for p in parameters]
        self.trained: list[Tensor] = []
        """The weights that training goes on with, while the averages stand in the parameters."""

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step number ``step``, from 1."""
        rest = 1 - min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(
            self.averages, [p.detach().to(a.dtype) for p, a in zip(self.parameters, self.averages, strict=True)], rest
        )

    def tensors(self) -> dict[str, Tensor]:
        """All state, by name."""
        averages = {f"average.{number}": value for number, value in enumerate(self.averages)}
        return averages | {f"trained.{number}": value for number, value in enumerate(self.trained)}

    def load(self, state: dict[str, Tensor]) -> None:
        """Take up what ``tensors`` gave."""
        self.averages = [state[f"average.{n}"].to(average, copy=True) for n, average in enumerate(self.averages)]
        trained = self.parameters if "trained.0" in state else []
        self.trained = [state[f"trained.{n}"].to(weight, copy=True) for n, weight in enumerate(trained)]

    @torch.no_grad()
    def show(self) -> None:
        """Put the averages into the parameters."""
        if not self.trained:
            self.trained = [p.detach().clone() for p in self.parameters]
            for parameter, average in zip(self.parameters, self.averages, strict=True):
                parameter.copy_(average)

    @torch.no_grad()
    def hide(self) -> None:
        """Put the trained weights back."""
        for parameter, weight in zip(self.parameters, self.trained, strict=bool(self.trained)):
            parameter.copy_(weight)
        self.trained = []
