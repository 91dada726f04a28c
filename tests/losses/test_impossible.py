"""Targets that a mask rules out, and products under autocast: what a loss is worth where a factor is 0 or a difference small."""

from __future__ import annotations

import math

import pytest
import torch

from lossworks.losses import (
    Asymmetric,
    CategoricalLoss,
    ClassBalanced,
    CrossEntropy,
    DynamicFineTuning,
    Focal,
    Hinge,
    SparseMatrix,
    SymmetricCrossEntropy,
)
from lossworks.training.loss_tape import of_labels, of_outcomes


@pytest.mark.parametrize(
    ("loss", "cost"),
    [
        (CrossEntropy(class_weights=(0, 1, 1)), 0.0),
        (CrossEntropy(class_weights=(2, 1, 1)), math.inf),
        (CrossEntropy(class_weights=(0, 1, 1), label_smoothing=0.1), math.inf),  # another class that weighs is impossible
        (CrossEntropy(label_smoothing=1), math.inf),
        (Focal(class_weights=(0, 1, 1)), 0.0),
        (Focal(gamma=0, class_weights=(0, 1, 1)), 0.0),
        (DynamicFineTuning(), 0.0),
        (SymmetricCrossEntropy(alpha=0), 4.0),
        (Hinge(kind="weston_watkins"), math.inf),
    ],
)
def test_impossible_target(loss: CategoricalLoss, cost: float) -> None:
    """A target that a mask rules out costs what the formula says with 0 · ∞ = 0; beside it others keep their gradient."""
    logits = torch.tensor([[-math.inf, 1.0, -math.inf], [1.0, 2.0, 0.5]], dtype=torch.float64, requires_grad=True)
    values = loss(logits, torch.tensor([0, 1]))
    assert values[0].item() == pytest.approx(cost)
    alone = logits.detach()[1:].requires_grad_()
    want = torch.autograd.grad(loss(alone, torch.tensor([1])).sum(), alone)[0]
    torch.testing.assert_close(torch.autograd.grad(values[1:].sum(), logits)[0][1:], want)


@pytest.mark.parametrize(
    "loss",
    [
        CrossEntropy(class_weights=(0, 1)),
        Focal(),
        Focal(class_weights=(0, 1)),
        DynamicFineTuning(),
        SymmetricCrossEntropy(alpha=0),
    ],
)
def test_small_steps_keep_their_tape(loss: CategoricalLoss) -> None:
    """None of this is beyond what compiled code can do again."""
    assert of_labels(loss, ()) is not None
    assert of_outcomes(loss, 2) is not None


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta")
def test_weights_are_not_autocast() -> None:
    """Under autocast a weighted square error is that of float32, over outcomes and over a matrix of counts."""
    rng = torch.Generator().manual_seed(0)
    logits, target = 2 * torch.randn(9, 4, generator=rng), torch.randint(4, (9,), generator=rng)
    weighted = SparseMatrix(weights=(1.01, 0, 2.53, 99.7))
    counts = (torch.rand(8, 4, generator=rng) < 0.4).float().to_sparse_csr()
    left, right = torch.randn(8, 3, generator=rng), torch.randn(4, 3, generator=rng)
    want = weighted(logits, target), weighted.factorisation(counts, left, right)
    with torch.autocast("cpu", torch.bfloat16):
        got = weighted(logits, target), weighted.factorisation(counts, left, right)
    for one, other in zip(got, want, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "loss",
    [
        Focal(),
        Focal(gamma=0.5),
        Focal(class_weights=(2, 3)),
        Hinge(power=2),
        Hinge(kind="weston_watkins", power=2),
        Asymmetric(gamma_positive=1),
        ClassBalanced(counts=(1, 2), gamma=1),
    ],
)
def test_an_impossible_target_that_is_left_out(loss: CategoricalLoss) -> None:
    """Of values that are infinite, and are then left out as padding is, nothing comes back, and no nan."""
    logits = torch.tensor([[1.0, -math.inf], [1.0, 2.0]], dtype=torch.float64, requires_grad=True)
    values = loss(logits, torch.tensor([1, 1]))
    assert values[0].item() == math.inf
    slope = torch.autograd.grad(values[torch.tensor([False, True])].sum(), logits)[0]
    assert not slope[0].any()
    assert slope[1].isfinite().all()
    assert slope[1, 1] < 0
