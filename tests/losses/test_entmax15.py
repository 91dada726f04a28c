"""1.5-entmax against an exact solution by sorting and numbers worked by hand; tests/parity holds it to the entmax package."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from losses.test_sparsemax import SPREADS, spread
from lossworks.losses import Entmax15


def entmax15(z: Tensor) -> Tensor:
    """By sorting: the threshold of each number of outcomes kept, and the one that fits (Peters et al. 2019, algorithm 2)."""
    half = z / 2 - z.amax(-1, keepdim=True) / 2
    ordered, places = half.sort(-1, descending=True).values, torch.arange(1, z.shape[-1] + 1).to(z)
    mean, squares = ordered.cumsum(-1) / places, ordered.square().cumsum(-1) / places
    thresholds = mean - ((1 / places) - (squares - mean.square())).clamp_min(0).sqrt()
    size = (thresholds <= ordered).sum(-1, keepdim=True)
    return (half - thresholds.gather(-1, size - 1)).clamp_min(0).square()


def formula(loss: Entmax15, p: Tensor, y: Tensor) -> Tensor:
    """Ω*(z) + Ω(y) - z_y with Ω(p) = 4/3 (Σ p^1.5 - 1), Ω*(z) = p·z - Ω(p), and log p as logits."""
    z = p.log()
    sparse = entmax15(z.detach())  # where Ω* is greatest, so that the gradient needs it no further
    return (sparse * z).sum(-1) - 4 / 3 * ((sparse**1.5).sum(-1) - 1) - (y * z).sum(-1)


ODD: dict[str, dict[str, str]] = {}


@pytest.mark.parametrize("classes", [1, 2, 50, 5000])
@pytest.mark.parametrize("kind", SPREADS)
def test_the_threshold_is_exact(kind: str, classes: int) -> None:
    """Value and gradient are those of the exact solution, however many outcomes lie near the largest."""
    logits, target = spread(kind, classes).requires_grad_(), torch.randint(classes, (20,))
    y = torch.eye(classes, dtype=torch.float64)[target]
    values = Entmax15()(logits, target)
    torch.testing.assert_close(values, formula(Entmax15(), logits.softmax(-1), y), rtol=1e-12, atol=1e-11)
    slope = torch.autograd.grad(values.sum(), logits)[0]
    torch.testing.assert_close(slope, entmax15(logits.detach()) - y, rtol=0, atol=1e-12)


def test_by_hand() -> None:
    """Logits 0.8 and -0.8 (halves ±0.4): square roots x ± 0.4 with 2x² + 0.32 = 1, so x = √0.34."""
    logits = torch.tensor([0.8, -0.8], dtype=torch.float64, requires_grad=True)
    value = Entmax15()(logits, torch.tensor(0))
    root = 0.34**0.5
    likely = (root + 0.4) ** 2
    assert torch.autograd.grad(value, logits)[0].tolist() == pytest.approx([likely - 1, 1 - likely])
    entropy = 4 / 3 * (1 - (root + 0.4) ** 3 - (root - 0.4) ** 3)
    assert value.item() == pytest.approx(entropy + 0.8 * (2 * likely - 1) - 0.8)


def test_a_lead_of_two_is_enough() -> None:
    """From there on it is 0; short of it, it is not."""
    logits, target = torch.tensor([[2.5, 0.5], [9.0, 0.0], [1.9, 0.0]], dtype=torch.float64), torch.zeros(3, dtype=torch.int64)
    values = Entmax15()(logits, target)
    assert values[:2].tolist() == pytest.approx([0, 0], abs=1e-12)
    assert values[2] > 1e-6
