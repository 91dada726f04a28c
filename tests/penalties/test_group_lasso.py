"""The group lasso against hand numbers, the proximal operator, numerical integration, and the conditions of its optimum."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import quad, solve_ivp
from scipy.optimize import minimize
from torch import Tensor

from lossworks.penalties.group_lasso import GroupLasso
from lossworks.penalties.l1 import L1

WEIGHT = torch.tensor([[3.0, -4.0], [0.0, 0.5], [0.0, 0.0]], dtype=torch.float64)


def drawn(spread: float, rows: int = 40, width: int = 4) -> tuple[Tensor, Tensor]:
    """Weights, and a rate for each whose logarithms spread so far."""
    rng = torch.Generator().manual_seed(0)
    weight = torch.randn(rows, width, generator=rng, dtype=torch.float64)
    return weight, torch.exp(spread * torch.randn(rows, width, generator=rng, dtype=torch.float64))


def test_by_hand() -> None:
    """Lengths 5, ½ and 0: the value is 2 · 5.5; in time 1 each loses 2, in the same direction, and what is shorter is 0."""
    penalty = GroupLasso(strength=2.0)
    assert penalty.value(WEIGHT).item() == 11.0
    for time in (1.0, torch.ones(3, 1), torch.ones(3, 2)):
        torch.testing.assert_close(penalty.prox(WEIGHT, time)[0], 0.6 * WEIGHT[0], rtol=1e-14, atol=0)
        assert (penalty.prox(WEIGHT, time)[1:] == 0).all()


def test_width_one_is_l1() -> None:
    """A row of one weight has its size for a length."""
    weight, rate = drawn(1.0, width=1)
    torch.testing.assert_close(GroupLasso(strength=0.5).prox(weight, rate), L1(strength=0.5).prox(weight, rate))
    assert GroupLasso(strength=0.5).value(weight) == L1(strength=0.5).value(weight)


@pytest.mark.parametrize("time", [0.2, 1.0, 3.0])
def test_with_one_time_it_is_the_proximal_operator(time: float) -> None:
    """argmin_x of ‖x - w‖²/2 + time · strength · ‖x‖, found numerically."""
    for row in drawn(0.0, rows=8)[0]:
        w = row.numpy()
        best = minimize(
            lambda x, w=w: ((x - w) ** 2).sum() / 2 + time * 0.6 * np.linalg.norm(x), w, method="Nelder-Mead", tol=1e-10
        )
        np.testing.assert_allclose(GroupLasso(strength=0.6).prox(row, time), best.x, atol=1e-4)


@pytest.mark.parametrize("spread", [0.1, 1.0, 2.0])
def test_with_many_times_it_solves_the_equation(spread: float) -> None:
    """dw_j/ds = -strength τ_j w_j / ‖w‖, integrated step by step with small tolerances while the row is not near zero."""
    weight, rate = drawn(spread, rows=12)
    for w, tau in zip(weight.numpy(), rate.numpy(), strict=True):
        time = 0.8 * np.linalg.norm(w) / (0.7 * tau.max())  # the row loses 0.8 of its length at most
        solved = solve_ivp(lambda s, x, tau=tau: -0.7 * tau * x / np.linalg.norm(x), (0, time), w, rtol=1e-11, atol=1e-13)
        found = GroupLasso(strength=0.7).prox(torch.from_numpy(w), torch.from_numpy(tau * time))
        np.testing.assert_allclose(found, solved.y[:, -1], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("spread", [0.0, 0.1, 1.0, 2.0])
def test_a_row_is_zero_from_the_moment_it_has_to_be(spread: float) -> None:
    """∫₀^∞ ‖w e^(-τv)‖ dv / strength is the time that a row lasts: just before, it is not zero, and just after, all of it is."""
    weight, rate = drawn(spread, rows=12)
    penalty = GroupLasso(strength=0.7)
    for w, tau in zip(weight, rate, strict=True):
        slowest, x, t = float(tau.min()), w.numpy(), tau.numpy()
        parts = 40 * np.linspace(0, 1, 200) ** 3 / slowest
        lasts = sum(quad(lambda v, x=x, t=t: np.linalg.norm(x * np.exp(-t * v)), *ends)[0] for ends in pairwise(parts)) / 0.7
        assert (penalty.prox(w, tau * lasts * (1 - 1e-6)) != 0).any()
        assert (penalty.prox(w, tau * lasts * (1 + 1e-6)) == 0).all()


@pytest.mark.parametrize("ratio", [1e3, 1e6, 1e10])
def test_times_of_very_different_size(ratio: float) -> None:
    """A weight that has met no gradient has an enormous time: it vanishes, the rest of the row goes on as without it."""
    weight = torch.tensor([[1.0, 2.0, -2.0]], dtype=torch.float64)
    penalty, time = GroupLasso(strength=1.0), torch.tensor([[ratio, 1.0, 1.0]], dtype=torch.float64)
    found = penalty.prox(weight, 1.5 * time)
    assert abs(found[0, 0]) < 1e-12
    alone = penalty.prox(weight[:, 1:], 1.5)
    assert 0 < (found[:, 1:] - alone).abs().max() < 2 / ratio + 1e-9
    torch.testing.assert_close(penalty.prox(penalty.prox(weight, 0.6 * time), 0.9 * time), found, rtol=1e-12, atol=1e-12)


def test_any_weights_and_times_give_numbers() -> None:
    """Zeros and faint weights in a row, and times of twelve sizes, as adaptive optimisers have them: finite, and it composes."""
    rng = torch.Generator().manual_seed(0)
    weight = torch.randn(3000, 6, generator=rng, dtype=torch.float64)
    weight *= 10 ** torch.randint(-40, 1, weight.shape, generator=rng) * (torch.rand(weight.shape, generator=rng) < 0.7)
    time = 10 ** (12 * torch.rand(weight.shape, generator=rng, dtype=torch.float64) - 3)
    penalty = GroupLasso(strength=0.01)
    flowed = penalty.prox(weight, time)
    assert flowed.isfinite().all()
    assert (flowed.abs() <= weight.abs()).all()
    assert 100 < (flowed == 0).all(-1).sum() < 3000
    torch.testing.assert_close(penalty.prox(penalty.prox(weight, time / 3), time / 1.5), flowed, rtol=1e-10, atol=1e-12)


def test_a_weight_without_gradient_beside_others() -> None:
    """AdaGrad's first steps: a weight that met no gradient is zero and has a time of 1e9, which must not spoil its row."""
    weight, _ = drawn(0.0, rows=500, width=16)
    time = 10 ** (1 + 4 * torch.rand(weight.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64))
    weight, time = 0.1 * weight.sign(), time.index_fill(1, torch.tensor([7]), 1e9)
    penalty, others = GroupLasso(strength=1e-3), [*range(7), *range(8, 16)]
    without = penalty.prox(weight[:, others], time[:, others])
    found = penalty.prox(weight.index_fill(1, torch.tensor([7]), 0.0), time)
    assert (found[:, 7] == 0).all()
    torch.testing.assert_close(found[:, others], without, rtol=1e-12, atol=1e-14)


def test_no_time_holds_a_weight() -> None:
    """A weight without time stays, and its row is never zero; the others fall."""
    found = GroupLasso(strength=1.0).prox(torch.tensor([[1.0, 3.0]], dtype=torch.float64), torch.tensor([[0.0, 50.0]]))
    assert found[0, 0] == 1.0
    assert 0 < found[0, 1] < 1e-9


def test_what_is_no_number_ends_too() -> None:
    """Rows that are not finite (a fit that diverges) do not hold up the others."""
    weight = torch.tensor([[math.nan, 1.0], [3.0, 4.0]])
    flowed = GroupLasso(strength=1.0).prox(weight, torch.ones(2, 2))
    assert flowed[0].isnan().any()
    torch.testing.assert_close(flowed[1], 0.8 * weight[1])


def trained(rates: Tensor, steps: dict[float, int]) -> tuple[Tensor, Tensor]:
    """Softmax regression by steps and flows in turn; the weights, and the gradient of the mean loss there."""
    rng = np.random.default_rng(3)
    inputs = torch.from_numpy(rng.normal(size=(150, 8)))
    truth = torch.from_numpy(np.eye(4)[(inputs[:, :3].numpy() @ rng.normal(size=(3, 4)) + rng.gumbel(size=(150, 4))).argmax(-1)])
    weight = torch.zeros(8, 4, dtype=torch.float64)

    def gradient() -> Tensor:
        return inputs.T @ ((inputs @ weight).softmax(-1) - truth) / len(inputs)

    for rate, times in steps.items():
        for _ in range(times):
            weight = GroupLasso(strength=0.1).prox(weight - rate * rates * gradient(), rate * rates)
    return weight, gradient()


def test_conditions_of_the_optimum() -> None:
    """There the gradient of a row is -strength w/‖w‖; or no longer than strength, and the row is exactly zero."""
    weight, slope = trained(torch.ones(8, 1), {1.0: 300})
    length = weight.norm(dim=-1)
    zero = length == 0
    assert 2 <= zero.sum() <= 6
    assert (slope[zero].norm(dim=-1) < 0.1).all()
    torch.testing.assert_close(slope[~zero], -0.1 * weight[~zero] / length[~zero, None], rtol=0, atol=1e-6)


def test_rates_of_their_own_lead_to_the_same_optimum() -> None:
    """With a rate for each weight what is reached differs in proportion to the step's size: at size 0 it is the optimum."""
    wanted, _ = trained(torch.ones(8, 1), {1.0: 300})
    rates = torch.exp(torch.randn(8, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) / 2)
    (whole, _), (half, _) = trained(rates, {1.0: 200}), trained(rates, {1.0: 100, 0.5: 200})
    torch.testing.assert_close(2 * half - whole, wanted, rtol=0, atol=3e-3)
    assert (whole - wanted).abs().max() > 0.02
    assert torch.equal((half == 0).all(-1), (wanted == 0).all(-1))
