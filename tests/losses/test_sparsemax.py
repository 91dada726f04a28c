"""Sparsemax against an exact solution by sorting and numbers worked by hand; tests/parity holds it to the entmax package."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lossworks import scores
from lossworks.losses import Hinge, Sparsemax


def sparsemax(z: Tensor) -> Tensor:
    """The projection onto the simplex, by sorting (Martins & Astudillo 2016, algorithm 1)."""
    z = z - z.amax(-1, keepdim=True)  # cumulative sums of large numbers would lose the digits that are compared
    ordered, places = z.sort(-1, descending=True).values, torch.arange(1, z.shape[-1] + 1)
    size = (1 + places * ordered > ordered.cumsum(-1)).sum(-1, keepdim=True)
    threshold = (ordered.cumsum(-1).gather(-1, size - 1) - 1) / size
    return (z - threshold).clamp_min(0)


def formula(loss: Sparsemax, p: Tensor, y: Tensor) -> Tensor:
    """Ω*(z) + Ω(y) - z_y with Ω(p) = ½ (|p|² - 1), Ω*(z) = p·z - Ω(p), and log p as logits."""
    z = p.log()
    sparse = sparsemax(z)
    return (sparse * z).sum(-1) - (sparse.square().sum(-1) - 1) / 2 - (y * z).sum(-1)


ODD: dict[str, dict[str, str]] = {}


def spread(kind: str, classes: int) -> Tensor:
    """Logits that lie densely near the largest, or far, evenly, on a ladder, or all equal."""
    noise = torch.randn(20, classes, dtype=torch.float64)
    steps = torch.arange(classes, dtype=torch.float64).expand(20, -1)
    return {
        "narrow": 0.1 * noise,
        "normal": noise,
        "wide": 30 * noise,
        "even": -steps / classes,
        "ladder": -steps.sqrt() / 10,
        "logarithmic": -(1 + steps).log(),
        "equal": 0 * noise,
    }[kind]


SPREADS = ["narrow", "normal", "wide", "even", "ladder", "logarithmic", "equal"]


@pytest.mark.parametrize("classes", [1, 2, 50, 5000])
@pytest.mark.parametrize("kind", SPREADS)
def test_the_threshold_is_exact(kind: str, classes: int) -> None:
    """Value and gradient are those of the exact solution, however many outcomes lie near the largest."""
    logits, target = spread(kind, classes).requires_grad_(), torch.randint(classes, (20,))
    y = torch.eye(classes, dtype=torch.float64)[target]
    values = Sparsemax()(logits, target)
    torch.testing.assert_close(values, formula(Sparsemax(), logits.softmax(-1), y), rtol=1e-12, atol=1e-11)
    slope = torch.autograd.grad(values.sum(), logits)[0]
    torch.testing.assert_close(slope, sparsemax(logits.detach()) - y, rtol=0, atol=1e-12)


def test_by_hand() -> None:
    """Logits 0.5 and 0: sparsemax gives 3/4 and 1/4, the loss of the first (1 - 0.5)²/4 and of the second (1 + 0.5)²/4."""
    logits = torch.tensor([[0.5, 0.0]] * 2, dtype=torch.float64, requires_grad=True)
    values = Sparsemax()(logits, torch.tensor([0, 1]))
    assert values.tolist() == pytest.approx([1 / 16, 9 / 16])
    assert torch.autograd.grad(values.sum(), logits)[0].flatten().tolist() == pytest.approx([-1 / 4, 1 / 4, 3 / 4, -3 / 4])


def test_a_lead_of_one_is_enough() -> None:
    """From there on it is 0, as the hinge loss is; far on the wrong side it grows like the logit, less a half."""
    logits, target = torch.tensor([[1.5, 0.5], [9.0, 0.0], [-9.0, 0.0]], dtype=torch.float64), torch.zeros(3, dtype=torch.int64)
    assert Sparsemax()(logits, target).tolist() == pytest.approx([0, 0, 8.5 + 0.5 - 0.0], abs=1e-12)
    assert Hinge()(logits, target).tolist() == pytest.approx([0, 0, 10], abs=1e-12)


def test_binary() -> None:
    """Over one logit an outcome it is the modified Huber loss: 0, (1 - z)²/4 between -1 and 1, and -z beyond."""
    logits, target = 3 * torch.randn(50, dtype=torch.float64), torch.randint(2, (50,))
    margin = (2 * target - 1) * logits
    want = torch.where(margin < -1, -margin, (1 - margin).clamp_min(0).square() / 4)
    torch.testing.assert_close(Sparsemax()(scores.binary(logits, target)), want, rtol=1e-12, atol=1e-12)
