"""Adaptive gradient descent."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from lossworks.optim import Stepper, build
from lossworks.optim.whole import Whole
from lossworks.penalties import build as penalty_of
from optim.battery import Weights, closure_of, problem, step

# λ is 0.1, so Δw = (-0.05, 0.4); Δg = (0, 5), and the second λ is ‖Δw‖/(2 · 5)
SECOND = math.hypot(0.05, 0.4) / 10
HAND = {"adgd:lr=0.1": [(0.95, -1.6), (0.95 - 0.5 * SECOND, -1.6 - SECOND)]}


def walk(lr: float, decay: float, steps: int) -> np.ndarray:
    """Algorithm 1 in NumPy, over matrix and bias together; both decay."""
    inputs, target, *start = problem()
    x, hot, w = inputs.numpy(), np.eye(3)[target.numpy()], np.vstack([start[0].numpy(), start[1].numpy()])
    x = np.hstack([x, np.ones((len(x), 1))])

    def gradient() -> np.ndarray:
        odds = np.exp(x @ w)
        return x.T @ (odds / odds.sum(1, keepdims=True) - hot) / len(x) + decay * w

    size, theta, found, before, last = lr, math.inf, [], w, w
    for number in range(steps):
        slope = gradient()
        if number:
            local = np.linalg.norm(w - before) / (2 * np.linalg.norm(slope - last))
            size, former = min(math.sqrt(1 + theta) * size, local), size
            theta = size / former
        before, last = w, slope
        w = w - size * slope
        found.append(w.ravel())
    return np.array(found)


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_trajectory(decay: float) -> None:
    """The algorithm written down a second time goes the same way."""
    inputs, target, *start = problem()
    model = Weights(*start)
    stepper = Stepper(build(f"adgd:lr=0.02,weight_decay={decay},coupled=true,decay_all=true"), model)
    for wanted in walk(0.02, decay, 30):
        step(stepper, model, lambda: cross_entropy(inputs @ model.matrix + model.bias, target))
        np.testing.assert_allclose(model.flat().numpy(), wanted, rtol=1e-7, atol=1e-9)


def test_the_first_rate_hardly_matters_and_a_schedule_not_at_all() -> None:
    """From first rates six orders apart it gets as low; after the first step a factor changes nothing."""
    inputs, target, *start = problem()
    ends, losses = [], []
    for lr, factor in ((1e-6, 1.0), (1e-3, 1.0), (1.0, 1.0), (1e-3, 0.1)):
        model = Weights(*start)
        stepper = Stepper(build(f"adgd:lr={lr}"), model)
        for number in range(100):
            loss = cross_entropy(inputs @ model.matrix + model.bias, target)
            loss.backward()
            stepper.step(factor if number else 1.0)
        ends.append(model.flat())
        losses.append(loss.item())
    assert torch.equal(ends[1], ends[3])
    assert max(losses) < 0.05


def test_a_penalty_flows_for_as_long_as_the_step() -> None:
    """The penalty's time is λ, not the first rate: L2 ends where loss and penalty balance."""
    model, penalty = Weights(torch.tensor([[0.0]], dtype=torch.float64)), penalty_of("l2:strength=0.5")
    stepper = Stepper(build("adgd:lr=0.01"), model, penalty)
    for _ in range(300):
        step(stepper, model, lambda: ((model.matrix - 1) ** 2).sum() / 200)
    assert isinstance(stepper._by, Whole)
    inner = stepper._by.inner
    assert inner.param_groups[0]["lr"] > 1  # far above the first rate
    before = model.matrix.detach().clone()
    closure_of(model, lambda: ((model.matrix - 1) ** 2).sum() / 200)()
    slope = model.matrix.grad.clone()  # type: ignore[union-attr]
    stepper.step()
    size = inner.param_groups[0]["lr"]
    torch.testing.assert_close(model.matrix.detach(), penalty.prox(before - size * slope, size))


def test_a_slope_without_curvature() -> None:
    """On a straight slope λ grows by √(1 + λ'/λ'') at most; where nothing moves it stays."""
    model = Weights(torch.tensor([[1.0]], dtype=torch.float64))
    optimizer = build("adgd:lr=0.5").over(model)
    sizes = []
    for _ in range(4):
        model.matrix.grad = torch.tensor([[2.0]], dtype=torch.float64)
        optimizer.step()
        sizes.append(optimizer.param_groups[0]["lr"])
    assert sizes == pytest.approx([0.5, 0.5, 0.5 * math.sqrt(2), 0.5 * math.sqrt(2) * math.sqrt(1 + math.sqrt(2))])
    model.matrix.grad = torch.zeros(1, 1, dtype=torch.float64)
    optimizer.step()
    optimizer.step()
    assert 0 < optimizer.param_groups[0]["lr"] < math.inf
