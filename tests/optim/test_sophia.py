"""Sophia."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lossworks.core.errors import UsageError
from lossworks.optim import Stepper, build
from optim.battery import Weights
from optim.recorded import follow

BAD = {"gamma": ("0", "-1", "nan", "inf"), "every": ("0", "-1")}


def test_trajectory() -> None:
    """The way of pytorch-optimizer, given the same curvature."""
    follow("sophia")


def test_by_hand() -> None:
    """Two steps with one estimate: the curvature of three examples is 3 g² = (0.75, 48), a quarter of which is taken in."""
    model = Weights(torch.tensor([[1.0, -2.0]], dtype=torch.float64))
    stepper = Stepper(build("sophia:lr=0.1,beta1=0.5,beta2=0.75,gamma=0.5,every=2,weight_decay=0"), model)
    model.matrix.grad = torch.tensor([[0.5, -4.0]], dtype=torch.float64)
    stepper.observe_curvature(3)
    # gamma · h is (0.09375, 6); m is (0.25, -2), then (0.375, -0.5): the first weight's step is clipped
    for slope, after in (((0.5, -4.0), (0.9, -2 + 0.1 / 3)), ((0.5, 1.0), (0.8, -2 + 0.1 / 3 + 0.1 / 12))):
        model.matrix.grad = torch.tensor([slope], dtype=torch.float64)
        stepper.step()
        np.testing.assert_allclose(model.matrix.detach().numpy()[0], after, rtol=1e-12)


def test_when_curvature_is_due() -> None:
    """Before the first step and every third; a step without it says what to call, and changes nothing."""
    model = Weights(torch.ones(2, 2))
    optimizer = build("sophia:every=3").over(model)
    asked = []
    for _ in range(7):
        model.matrix.grad = torch.ones(2, 2)
        asked.append(optimizer.wants_curvature)  # type: ignore[attr-defined]
        if asked[-1]:
            before = model.flat()
            with pytest.raises(UsageError, match="observe_curvature"):
                optimizer.step()
            assert torch.equal(before, model.flat())
            optimizer.observe_curvature(1)  # type: ignore[attr-defined]
            assert not optimizer.wants_curvature  # type: ignore[attr-defined]
        optimizer.step()
    assert asked == [True, False, False, True, False, False, True]


def test_curvature_of_no_examples_is_refused() -> None:
    """An estimate of nothing."""
    with pytest.raises(UsageError, match="0 examples"):
        build("sophia").over(Weights(torch.ones(2, 2))).observe_curvature(0)  # type: ignore[attr-defined]
