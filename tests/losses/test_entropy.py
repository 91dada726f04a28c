"""The entropy term against numbers worked by hand and SciPy."""

from __future__ import annotations

import math

import pytest
import scipy.stats
import torch
from torch import Tensor

from lossworks.losses import Entropy, build


def formula(loss: Entropy, p: Tensor, y: Tensor) -> Tensor:
    """On whole distributions."""
    return -(p * p.log()).sum(-1)


ODD: dict[str, dict[str, str]] = {"": {"learns": "it is a term to add to a loss, and says nothing of the target"}}


def test_by_hand() -> None:
    """Probabilities 1/4 and 3/4: log 4 - 3/4 log 3. Uniform over V: log V. Sure: 0."""
    logits = torch.tensor([0.0, math.log(3)], dtype=torch.float64)
    assert Entropy()(logits, torch.tensor(0)).item() == pytest.approx(math.log(4) - 0.75 * math.log(3))
    assert Entropy()(torch.zeros(8), torch.tensor(0)).item() == pytest.approx(math.log(8))
    assert Entropy()(torch.tensor([1e4, 0.0]), torch.tensor(0)).item() == 0


def test_agrees_with_scipy() -> None:
    """Whatever the target."""
    logits, target = torch.randn(30, 5, dtype=torch.float64), torch.randint(5, (30,))
    want = torch.from_numpy(scipy.stats.entropy(logits.softmax(-1).numpy(), axis=-1))
    torch.testing.assert_close(Entropy()(logits, target), want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("spec", "unsure"), [("cross_entropy-0.5*entropy", True), ("cross_entropy+0.5*entropy", False)])
def test_signs(spec: str, unsure: bool) -> None:
    """Taken off, it leaves the model less sure than the labels (3 to 1) are; added, surer."""
    logits = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    for _ in range(200):
        values = build(spec)(logits.expand(4, 2), torch.tensor([0, 0, 0, 1]))
        logits = (logits - torch.autograd.grad(values.mean(), logits)[0]).detach().requires_grad_()
    p = float(logits.detach().softmax(-1)[0])
    assert (0.5 < p < 0.74) if unsure else p > 0.76
