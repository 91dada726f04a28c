"""What the battery's properties share: a loss with parameters to try, random inputs for it, and comparisons."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from lossworks.losses import BinaryLoss, Loss

Formula = Callable[..., Tensor]
SHAPES: tuple[tuple[int, ...], ...] = ((), (0,), (3,), (2, 3), (3, 0), (1, 3, 2))


@dataclass(frozen=True)
class Case:
    """A loss with parameters. ``excused`` names the properties that it breaks by design, each with the reason.

    ``formula(loss, p, y)`` spells it on probabilities p and one-hot targets y, both [N, V]; ``number_formula(loss, ŷ, y)``
    between numbers [N]; ``beside(target, classes)`` gives what the scores need besides, such as a teacher.
    """

    loss: Any
    formula: Formula | None = None
    number_formula: Formula | None = None
    beside: Callable[[Tensor, int], dict[str, Any]] | None = None
    excused: dict[str, str] = field(default_factory=dict)

    def __call__(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss of dense scores."""
        return self.loss(logits, target, **self.besides(target))

    def besides(self, target: Tensor) -> dict[str, Any]:
        """What scores of this target are given besides."""
        return self.beside(target, self.classes) if self.beside else {}

    @property
    def classes(self) -> int:
        """As many classes as the loss has values a class; where it has none 2 for a binary loss, 5 for others."""
        return next((len(value) for value in per_class(self.loss).values()), 2 if isinstance(self.loss, BinaryLoss) else 5)


def per_class(loss: Loss) -> dict[str, tuple[float, ...]]:
    """The loss's fields that hold a value for each class."""
    values = {f.name: getattr(loss, f.name) for f in dataclasses.fields(loss)} if dataclasses.is_dataclass(loss) else {}
    return {name: value for name, value in values.items() if isinstance(value, tuple) and value}


def draw(case: Case, *shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Random logits that ask for gradients, and random targets."""
    rng = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(*shape, case.classes, generator=rng, dtype=torch.float64)
    return logits.to(dtype).requires_grad_(), torch.randint(case.classes, shape, generator=rng)


def gradient(values: Tensor, into: Tensor) -> Tensor:
    """The gradient of the sum of the values."""
    return torch.autograd.grad(values.sum(), into)[0]


def near(got: Tensor, want: Tensor, tolerance: float = 1e-12) -> None:
    """Equal up to ``tolerance``, relative to the size of what was wanted."""
    assert got.shape == want.shape, f"got shape {tuple(got.shape)}, wanted {tuple(want.shape)}"
    torch.testing.assert_close(got, want, rtol=tolerance, atol=tolerance * (1 + _size(want)))


def _size(tensor: Tensor) -> float:
    return float(tensor.detach().abs().max()) if tensor.numel() else 0.0


def off(got: Tensor, want: Tensor) -> float:
    """The largest difference, relative to the size of what was wanted."""
    return float((got.detach().double() - want.detach()).abs().max()) / (1 + _size(want))


def split_sums(loss: Callable[..., Tensor], given: Tensor, target: Tensor) -> None:
    """Σ weight·loss / Σ weight and its gradient do not depend on how the step is cut into micro-batches."""
    for seed, cuts in enumerate(([1], [0, 5], [4, 4, 9], [2, 3, 7, len(target)])):
        weight = torch.rand(len(target), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        whole = (weight * loss(given, target)).sum() / weight.sum()
        edges = [0, *cuts, len(target)]
        parts = [(weight[a:b] * loss(given[a:b], target[a:b])).sum() / weight.sum() for a, b in pairwise(edges)]
        near(torch.stack(parts).sum(), whole)
        near(gradient(torch.stack(parts), given), gradient(whole, given))
