"""Faults planted in the optimisers of matrices and of step sizes, each of which a check of theirs must catch."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lossworks.optim import build
from lossworks.optim.rules import adgd, gradient_descent, muon, soap
from optim import battery, test_adgd, test_gradient_descent, test_muon, test_soap
from optim.battery import told

Patch = pytest.MonkeyPatch


def trajectory(name: str) -> None:
    """Side by side with the first reference of the test file, or by its own test."""
    spec, reference = next(iter(told(name).REFERENCE.items()))
    battery.check_trajectory(build(spec), reference)


def by_hand(name: str) -> None:
    """All steps of the test file that were worked out on paper."""
    for spec, wanted in told(name).HAND.items():
        battery.check_by_hand(build(spec), wanted)


def wrong_side(patch: Patch) -> None:
    """X(aI + bA + cA²) with A = XXᵀ, where (aI + bA + cA²)X is wanted."""
    plain = torch.baddbmm
    patch.setattr(torch, "baddbmm", lambda x, left, right, **numbers: plain(x, right, left, **numbers))


def coefficients(patch: Patch) -> None:
    """Newton's cubic iteration in the quintic's place."""
    patch.setattr(muon, "A", 1.5)
    patch.setattr(muon, "B", -0.5)
    patch.setattr(muon, "C", 0.0)


def one_scale(patch: Patch) -> None:
    """The shape of a matrix does not count."""
    patch.setattr(muon, "_scale", lambda p, match: 0.2)


def turn_everything(patch: Patch) -> None:
    """Embeddings and the head are matrices like any."""
    plain = muon._Muon.update
    patch.setattr(muon._Muon, "update", lambda self, ps, group: plain(self, ps, {**group, "role": _by_shape(ps)}))


def _by_shape(parameters: list[torch.Tensor]) -> str:
    return "matrix" if parameters[0].ndim > 1 else "vector"


def never_refresh(patch: Patch) -> None:
    """The basis is that of the first gradient for ever."""
    patch.setattr(soap, "_refresh", lambda state: None)


def forget_the_momentum(patch: Patch) -> None:
    """The momentum stays in the old basis when the new one comes."""
    plain = soap._refresh

    def refresh(state: dict[str, torch.Tensor]) -> None:
        kept = state["exp_avg"]
        plain(state)
        state["exp_avg"] = kept

    patch.setattr(soap, "_refresh", refresh)


def leave_the_variances(patch: Patch) -> None:
    """Directions change places, their second moments do not."""
    plain = soap._refresh

    def refresh(state: dict[str, torch.Tensor]) -> None:
        kept = state["exp_avg_sq"]
        plain(state)
        state["exp_avg_sq"] = kept.flip(0)

    patch.setattr(soap, "_refresh", refresh)


def one_side(patch: Patch) -> None:
    """The columns' moments are never taken."""
    plain = soap._gather
    patch.setattr(soap, "_gather", lambda g, state, beta: plain(g, {k: v for k, v in state.items() if k != "right"}, beta))


def unbounded(patch: Patch) -> None:
    """The step size grows as it likes, by the curvature alone."""
    patch.setattr(adgd, "math", SimpleNamespace(inf=math.inf, sqrt=lambda x: math.inf if x > 1 else math.sqrt(x)))


def doubled(patch: Patch) -> None:
    """The whole of the curvature's bound, not the half of it."""
    plain = adgd._norm
    calls: list[int] = []

    def norm(tensors: list[torch.Tensor]) -> float:
        calls.append(1)
        return plain(tensors) * (1 + len(calls) % 2)

    patch.setattr(adgd, "_norm", norm)


def accept_anything(patch: Patch) -> None:
    """Every first trial is good enough."""
    patch.setattr(gradient_descent, "_SLOPE", -math.inf)


def accept_the_bottomless(patch: Patch) -> None:
    """-inf and nan pass for numbers."""
    patch.setattr(gradient_descent, "math", SimpleNamespace(isfinite=lambda x: True))


def keep_the_last_gradient(patch: Patch) -> None:
    """What stands in the parameters afterwards is of the last trial."""
    patch.setattr(gradient_descent._Backtracking, "step", _careless(gradient_descent._Backtracking.step))


def _careless(step: Callable[..., float]) -> Callable[..., float]:
    def careless(self: Any, closure: Callable[[], float]) -> float:
        before = step(self, closure)
        with torch.enable_grad():
            closure()
        return before

    return careless


FAULTS: list[tuple[Callable[[Patch], None], Callable[[], None]]] = [
    (wrong_side, lambda: test_muon.test_orthogonal((6, 6), 5)),
    (coefficients, lambda: trajectory("muon")),
    (one_scale, lambda: trajectory("muon")),
    (turn_everything, lambda: test_muon.test_hidden_matrices_alone_are_turned(False)),
    (turn_everything, lambda: test_muon.test_hidden_matrices_alone_are_turned(True)),
    (never_refresh, lambda: trajectory("soap")),
    (never_refresh, test_soap.test_the_basis_becomes_that_of_the_eigenvectors),
    (forget_the_momentum, lambda: trajectory("soap")),
    (leave_the_variances, test_soap.test_both_sides),
    (one_side, lambda: trajectory("soap")),
    (unbounded, test_adgd.test_a_slope_without_curvature),
    (doubled, lambda: by_hand("adgd")),
    (doubled, lambda: test_adgd.test_trajectory(0.0)),
    (accept_anything, test_gradient_descent.test_line_search_never_goes_up),
    (accept_the_bottomless, test_gradient_descent.test_no_loss_that_is_not_finite_is_accepted),
    (keep_the_last_gradient, test_gradient_descent.test_the_gradient_of_the_start_stands_after_a_step),
]


@pytest.mark.parametrize(("plant", "check"), FAULTS, ids=[f"{n}-{plant.__name__}" for n, (plant, _) in enumerate(FAULTS)])
def test_the_fault_is_caught(plant: Callable[[Patch], None], check: Callable[[], None], monkeypatch: Patch) -> None:
    """The check passes as things are, and fails with the fault."""
    check()
    plant(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check()
