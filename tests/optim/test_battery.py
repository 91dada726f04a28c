"""What every optimiser owes, for each that is registered."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict, replace
from typing import Any

import pytest
import torch

from lossworks.core.errors import UsageError
from lossworks.optim import Stepper, build, optimizers, render
from optim import battery
from optim.battery import Weights, told, ways

NAMES = [entry.name for entry in optimizers]
KINDS = (torch.float64, torch.float32)


def table(which: str) -> list[tuple[str, Any]]:
    """All specs of one table of the test files, and what is said of them."""
    return [pair for name in NAMES for pair in getattr(told(name), which, {}).items()]


def test_slopes_that_are_worked_out() -> None:
    """Autograd has the same heights and slopes, laid out alike."""
    inputs, target, matrix, bias = battery.problem()
    model = Weights(matrix.t().contiguous().t(), bias)
    for number in range(5):
        found = []
        for closure in (
            battery.descent(model, number, inputs, target),
            battery.closure_of(model, lambda at=number: battery.logistic(model, at, inputs, target)),
        ):
            height = torch.tensor(closure())
            found.append([height, *(p.grad.clone() for p in model.parameters() if p.grad is not None)])
            assert model.matrix.grad is not None
            assert model.matrix.grad.stride() == model.matrix.stride()
        torch.testing.assert_close(*found, rtol=1e-12, atol=1e-14)
    for valley, at in ((battery.quadratic, torch.linspace(-2, 1, 6)[None]), (battery.rosenbrock, torch.tensor([[-1.2, 1.0]]))):
        w, moved = at.double(), torch.eye(at.shape[1], dtype=torch.float64) * 1e-6
        numbers = [(valley(w + by)[0] - valley(w - by)[0]) / 2e-6 for by in moved]
        assert valley(w)[1][0].tolist() == pytest.approx(numbers, rel=1e-6)


@pytest.mark.parametrize(("spec", "wanted"), table("HAND"))
def test_by_hand(spec: str, wanted: list[tuple[float, float]]) -> None:
    """Two steps worked out on paper."""
    for optimizer in ways(build(spec)):
        battery.check_by_hand(optimizer, wanted)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("spec", "reference"), table("REFERENCE"))
def test_trajectory(spec: str, reference: battery.Reference, kind: torch.dtype) -> None:
    """Another implementation goes the same way, step by step; by rows or whole."""
    for optimizer in ways(build(spec)):
        battery.check_trajectory(optimizer, reference, kind)


@pytest.mark.parametrize("name", NAMES)
def test_every_member_is_held_to_account(name: str) -> None:
    """An optimiser without a hand-worked step or a reference is not finished; its spec goes there and back."""
    file = told(name)
    assert getattr(file, "HAND", None) or hasattr(file, "test_by_hand")
    assert getattr(file, "REFERENCE", None) or hasattr(file, "test_trajectory")
    optimizer = build(name)
    assert build(render(optimizer)) == optimizer
    assert optimizers[name].source
    assert "Domain" in (type(optimizer).__doc__ or "")


@pytest.mark.parametrize("name", NAMES)
def test_descent(name: str) -> None:
    """Down a quadratic and along Rosenbrock's valley, at the best of three rates."""
    rates = [replace(build(name), lr=lr) for lr in getattr(told(name), "RATES", battery.RATES)]
    assert any(battery.lowest(o, battery.quadratic, [1.0, -2.0, 3.0, -1.0, 0.5, 2.0], 150) < 0.02 for o in rates)
    assert any(battery.lowest(o, battery.rosenbrock, [-1.2, 1.0], 600) < 0.1 for o in rates)


@pytest.mark.parametrize("kind", [*KINDS, torch.bfloat16])
@pytest.mark.parametrize("name", NAMES)
def test_state(name: str, kind: torch.dtype) -> None:
    """Resuming is exact."""
    for optimizer in ways(build(name)):
        battery.check_state(optimizer, kind)


@pytest.mark.parametrize("name", NAMES)
def test_state_of_another_is_refused(name: str) -> None:
    """A state that another optimiser saved is refused by name, in the stepper and in anybody's loop."""
    other = "adam" if name != "adam" else "lion"
    start = torch.ones(2, 2)
    saved = Stepper(build(other), Weights(start)).tensors()
    with pytest.raises(UsageError, match=f"'{other}'.*'{name}'"):
        Stepper(build(name), Weights(start)).load(saved)
    state = build(other).over(Weights(start)).state_dict()
    with pytest.raises(UsageError, match=f"'{other}'.*'{name}'"):
        build(name).over(Weights(start)).load_state_dict(state)


@pytest.mark.parametrize("name", NAMES)
def test_domain(name: str) -> None:
    """Rates and constants outside their domain are refused when the spec is read."""
    bad = {"lr": ("0", "-1", "nan", "inf"), "eps": ("0", "-1e-8"), "beta1": ("1", "-0.1"), "beta2": ("1",)}
    bad |= {"weight_decay": ("-1", "nan"), "coupled": ("2",), "decay_all": ("2",)}
    bad |= getattr(told(name), "BAD", {})
    for key in asdict(build(name)):
        for value in bad[key]:
            with pytest.raises(UsageError, match=key):
                build(f"{name}:{key}={value}")


@pytest.mark.parametrize("name", NAMES)
def test_decay(name: str) -> None:
    """Weight decay shrinks matrices by lr · weight_decay, apart from the step, and biases only where asked to."""
    if build(name).needs_closure:
        with pytest.raises(UsageError, match="weight_decay"):
            build(f"{name}:weight_decay=0.5")
        return
    for everywhere in ("false", "true"):
        plain, decayed = (build(f"{name}:lr=0.01,weight_decay={decay},decay_all={everywhere}") for decay in ("0", "0.5"))
        ends = []
        for optimizer in (plain, decayed):
            model = Weights(torch.full((2, 2), 3.0, dtype=torch.float64), torch.full((2,), 3.0, dtype=torch.float64))
            stepper = Stepper(optimizer, model)
            battery.step(stepper, model, lambda m=model: (m.matrix**2).sum() + (m.bias**2).sum())
            ends.append((model.matrix.detach()[0, 0].item(), model.bias.detach()[0].item()))
        wanted = getattr(told(name), "shrunk", lambda before, after: after - before * 0.01 * 0.5)
        for (plainly, found), asked in zip(zip(*ends, strict=True), (True, everywhere == "true"), strict=True):
            shrunk = plainly - wanted(3.0, plainly) if asked else 0.0
            assert plainly - found == pytest.approx(shrunk, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("name", [name for name in NAMES if not build(name).needs_closure])  # PyTorch's L-BFGS cannot
def test_layout(name: str) -> None:
    """The same weights however the matrix lies in memory, which a rule goes through in one way or another."""
    inputs, target, matrix, bias = battery.problem()
    ends = []
    for start in (matrix, matrix.t().contiguous().t()):
        model = Weights(start, bias)
        stepper = Stepper(build(f"{name}:lr=0.02"), model)
        for number in range(12):
            battery.step_by(stepper, battery.descent(model, number, inputs, target))
        stepper.eval_weights()
        ends.append(model.matrix.detach().contiguous())
    with pytest.raises(AssertionError) if hasattr(told(name), "LAYOUT") else nullcontext():
        torch.testing.assert_close(*ends, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_half_precision(name: str) -> None:
    """In bfloat16 it still goes down, and its state is finite."""
    optimizer = build(name)
    model = Weights(torch.full((4, 4), 2.0, dtype=torch.bfloat16), torch.full((4,), 2.0, dtype=torch.bfloat16))
    stepper = Stepper(optimizer, model)
    for _ in range(5):
        battery.step(stepper, model, lambda: (model.matrix.float() ** 2).sum() + (model.bias.float() ** 2).sum())
    assert model.flat().isfinite().all()
    assert model.flat().float().abs().sum() <= 40.0
