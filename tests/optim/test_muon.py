"""Muon."""

from __future__ import annotations

import math
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor, nn

from lossworks.optim import Stepper, build
from lossworks.optim.rules.muon import A, B, C, orthogonal
from optim.battery import Weights


def along(vector: tuple[float, float], length: float) -> tuple[float, float]:
    """What a matrix of one row becomes: a vector of length 1, iterated, at most ``length`` long."""
    s = 1.0
    for _ in range(5):
        s = A * s + B * s**3 + C * s**5
    return tuple(length * s * x / math.hypot(*vector) for x in vector)  # type: ignore[return-value]


# B is (0.5, -4), then 0.95 B + (0.5, 1) = (0.975, -2.8); ahead of it is (0.5, 1) + 0.95 B. The larger side is 2.
FIRST = along((0.5, -4.0), 0.1 * 0.2 * math.sqrt(2))
SECOND = along((0.5 + 0.95 * 0.975, 1 - 0.95 * 2.8), 0.1 * 0.2 * math.sqrt(2))
HAND = {
    "muon:lr=0.1,weight_decay=0": [
        (1 - FIRST[0], -2 - FIRST[1]),
        (1 - FIRST[0] - SECOND[0], -2 - FIRST[1] - SECOND[1]),
    ],
    "muon:lr=0.1,weight_decay=0.5": [
        (0.95 - FIRST[0], -1.9 - FIRST[1]),
        (0.95 * (0.95 - FIRST[0]) - SECOND[0], 0.95 * (-1.9 - FIRST[1]) - SECOND[1]),
    ],
}


class Both(torch.optim.Optimizer):
    """PyTorch's Muon for matrices and AdamW for the rest. It iterates in bfloat16, whose rounding no two ways of multiplying
    share; here nothing is rounded, so that the rest of it can be compared to the last digits.
    """

    def __init__(self, parameters: list[Tensor], adam: dict[str, Any], **muon: Any) -> None:
        super().__init__(parameters, {})
        self.muon = torch.optim.Muon([p for p in parameters if p.ndim == 2], **muon)
        self.adam = torch.optim.AdamW([p for p in parameters if p.ndim < 2], **adam)

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        with mock.patch.object(Tensor, "bfloat16", Tensor.clone):
            self.muon.step()
        self.adam.step()


ADAM = {"lr": 0.01, "betas": (0.8, 0.9), "eps": 0.001, "weight_decay": 0.0}
REFERENCE = {
    "muon:lr=0.05,momentum=0.8,steps=5,weight_decay=0.3,adam_lr=0.01,beta1=0.8,beta2=0.9,eps=0.001,precision=float64": (
        lambda p: Both(p, ADAM, lr=0.05, momentum=0.8, ns_steps=5, weight_decay=0.3, adjust_lr_fn="match_rms_adamw")
    ),
    "muon:lr=0.02,nesterov=false,steps=2,match_adamw=false,weight_decay=0,precision=float64": (
        lambda p: Both(
            p,
            {"lr": 0.02, "betas": (0.9, 0.95), "weight_decay": 0.0},
            lr=0.02,
            nesterov=False,
            ns_steps=2,
            weight_decay=0.0,
            adjust_lr_fn="original",
        )
    ),
}
BAD = {
    "momentum": ("1", "-0.1"),
    "nesterov": ("2",),
    "steps": ("0", "1.5"),
    "match_adamw": ("2",),
    "adam_lr": ("0", "nan"),
    "precision": ("float16",),
}
RATES = (0.01, 0.05, 0.1)


@pytest.mark.parametrize("shape", [(6, 6), (4, 6), (4, 20), (20, 4), (1, 9)])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_orthogonal(shape: tuple[int, int], steps: int) -> None:
    """Each singular value goes the way of the polynomial, whichever side is longer; the directions stay."""
    rng = torch.Generator().manual_seed(1)
    matrices = [torch.randn(shape, generator=rng, dtype=torch.float64) for _ in range(3)]
    for matrix, found in zip(matrices, orthogonal(matrices, steps, torch.float64), strict=True):
        u, s, v = torch.linalg.svd(matrix, full_matrices=False)
        s = s / s.square().sum().sqrt()
        for _ in range(steps):
            s = A * s + B * s**3 + C * s**5
        torch.testing.assert_close(found, u @ torch.diag(s) @ v, rtol=1e-9, atol=1e-11)


def test_coefficients() -> None:
    """They are those that Jordan published."""
    assert (A, B, C) == (3.4445, -4.7750, 2.0315)


@pytest.mark.parametrize(("kind", "within"), [(torch.float32, 1e-5), (torch.bfloat16, 0.04)])
def test_precisions(kind: torch.dtype, within: float) -> None:
    """In fewer digits it is the same to their rounding, also of a matrix with directions a thousand times smaller."""
    rng = torch.Generator().manual_seed(1)
    for shape in ((64, 64), (32, 128)):
        matrix = torch.randn(shape, generator=rng)
        (found,), (exact,) = (orthogonal([matrix], 5, each) for each in (kind, torch.float64))
        assert (found - exact).norm() < within * exact.norm()
        small = torch.linalg.svd(matrix, full_matrices=False)
        skewed = small.U @ torch.diag(torch.logspace(0, -3, shape[0])) @ small.Vh
        (found,) = orthogonal([skewed], 5, kind)
        assert torch.linalg.svdvals(found.double()).max() < 1.3


class Language(nn.Module):
    """A small model of language, with or without its head tied to the embeddings."""

    def __init__(self, tied: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)
        self.hidden = nn.Linear(4, 4)
        self.wide = nn.Conv1d(4, 4, 3)
        self.head = nn.Linear(4, 7, bias=False)
        if tied:
            self.head.weight = self.embedding.weight


@pytest.mark.parametrize("tied", [False, True])
def test_hidden_matrices_alone_are_turned(tied: bool) -> None:
    """Embeddings, tied or not, the head and vectors go by AdamW; a kernel of three dimensions is a matrix too."""
    model = Language(tied)
    optimizer = build("muon").over(model)
    for p in model.parameters():
        p.grad = torch.randn_like(p)
    optimizer.step()
    turned = {name for name, p in model.named_parameters() if "momentum" in optimizer.state[p]}
    assert turned == {"hidden.weight", "wide.weight"}
    assert all("exp_avg_sq" in optimizer.state[p] for name, p in model.named_parameters() if name not in turned)


def test_a_kernel_is_flattened() -> None:
    """A tensor of more dimensions moves as the matrix of its rows does."""
    rng = torch.Generator().manual_seed(1)
    weight, slope = (torch.randn(4, 6, generator=rng) for _ in range(2))
    ends = []
    for shape in ((4, 6), (4, 3, 2)):
        p = nn.Parameter(weight.clone().view(shape))
        p.grad = slope.view(shape)
        build("muon:lr=0.1").over([p]).step()
        ends.append(p.detach().view(4, 6))
    assert torch.equal(*ends)


def test_matrices_together_are_the_same_as_alone() -> None:
    """Those of one shape are multiplied together, whatever stands between them."""
    rng = torch.Generator().manual_seed(1)
    shapes = [(4, 6), (6, 4), (4, 6), (3, 3), (4, 6)]
    starts = [(torch.randn(s, generator=rng), torch.randn(s, generator=rng)) for s in shapes]

    def step(some: list[tuple[Tensor, Tensor]]) -> list[Tensor]:
        parameters = [nn.Parameter(weight.clone()) for weight, _ in some]
        for p, (_, slope) in zip(parameters, some, strict=True):
            p.grad = slope.clone()
        build("muon:precision=float32").over(parameters).step()
        return [p.detach() for p in parameters]

    for together, start in zip(step(starts), starts, strict=True):
        torch.testing.assert_close(together, step([start])[0])


def test_a_rate_of_its_own() -> None:
    """The schedule scales the rates of both parts; without adam_lr they share one."""
    for spec, rate in (("muon:lr=0.1,adam_lr=0.02,weight_decay=0", 0.02), ("muon:lr=0.1,weight_decay=0", 0.1)):
        model = Weights(torch.zeros(2, 2), torch.zeros(2))
        stepper = Stepper(build(spec), model)
        model.matrix.grad, model.bias.grad = torch.eye(2), torch.ones(2)
        stepper.step(0.5)
        assert model.bias.tolist() == pytest.approx([-rate / 2] * 2)
        assert model.matrix[0, 0].item() == pytest.approx(-0.05 * 0.2 * math.sqrt(2), rel=0.35)  # singular values near 1
