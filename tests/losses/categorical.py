"""What every loss over outcomes owes: each property is a function of a ``Case``, and raises where the loss breaks it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

from losses.case import SHAPES, Case, draw, gradient, near, off, per_class, split_sums

PROPERTIES: dict[str, Callable[[Case], None]] = {}


def categorical(check: Callable[[Case], None]) -> Callable[[Case], None]:
    """A property of losses over ``Scores``."""
    PROPERTIES[check.__name__] = check
    return check


def whole(case: Case, logits: Tensor, target: Tensor) -> Tensor:
    """The values by the formula on the whole distribution; by the loss itself where no formula is given."""
    if case.formula is None:
        return case(logits, target)
    return case.formula(case.loss, logits.softmax(-1), functional.one_hot(target, case.classes).to(logits.dtype))


@categorical
def any_shape(case: Case) -> None:
    """Any leading axes, none and empty ones too, give one value a position: those of the flattened positions."""
    for seed, shape in enumerate(SHAPES):
        logits, target = draw(case, *shape, seed=seed)
        values = case(logits, target)
        assert values.shape == shape, f"positions {shape} gave values {tuple(values.shape)}"
        near(values.flatten(), case(logits.reshape(-1, case.classes), target.flatten()))
        assert gradient(values, logits).shape == logits.shape


@categorical
def first_derivative(case: Case) -> None:
    """The gradient is that of the values."""
    logits, target = draw(case, 3)
    gradcheck(lambda z: case(z, target), (logits,), fast_mode=True)


@categorical
def second_derivative(case: Case) -> None:
    """And the gradient's gradient is that of the gradient."""
    logits, target = draw(case, 2)
    gradgradcheck(lambda z: case(z, target), (logits,), fast_mode=True)


@categorical
def formula(case: Case) -> None:
    """Values and gradients are those of the formula on the whole distribution and one-hot targets."""
    if case.formula is None:
        return
    logits, target = draw(case, 50)
    values, want = case(logits, target), whole(case, logits, target)
    near(values, want)
    near(gradient(values, logits), gradient(want, logits))


@categorical
def locality(case: Case) -> None:
    """Position i's value and gradient depend on position i alone."""
    logits, target = draw(case, 4)
    alone = torch.stack([case(logits[i], target[i]) for i in range(4)])
    near(case(logits, target), alone)
    slopes = torch.autograd.functional.jacobian(lambda z: case(z, target), logits)
    for i in range(4):
        near(slopes[i, i], gradient(case(logits[i], target[i]), logits)[i])
        assert not slopes[i, [j for j in range(4) if j != i]].any(), f"value {i} depends on other positions"


@categorical
def shift_invariance(case: Case) -> None:
    """A constant added to a position's logits changes nothing."""
    logits, target = draw(case, 20)
    shift = torch.linspace(-300, 300, 20, dtype=torch.float64)[:, None]
    near(case(logits + shift, target), case(logits, target), 1e-10)
    near(gradient(case(logits, target), logits).sum(-1), torch.zeros(20, dtype=torch.float64))


@categorical
def class_order(case: Case) -> None:
    """Renaming the classes, in logits, targets and parameters alike, changes nothing."""
    logits, target = draw(case, 20)
    shuffled = torch.randperm(case.classes, generator=torch.Generator().manual_seed(1))
    for order in (torch.arange(case.classes).roll(1), shuffled):
        moved = {name: tuple(value[i] for i in order.tolist()) for name, value in per_class(case.loss).items()}
        renamed = dataclasses.replace(case, loss=dataclasses.replace(case.loss, **moved)) if moved else case
        near(renamed(logits[:, order], order.argsort()[target]), case(logits, target))


@categorical
def learns(case: Case) -> None:
    """Over all targets, raising the target's own logit above the others' lowers the loss."""
    logits = torch.zeros(case.classes, case.classes, dtype=torch.float64, requires_grad=True)
    slope = gradient(case(logits, torch.arange(case.classes)), logits).trace()
    assert slope < -1e-9, f"raising the targets' logits changes the loss by {float(slope):+.3g}"


@categorical
def extremes(case: Case) -> None:
    """Logits of ±1e4 give finite values and gradients, in every precision, and right ones."""
    size = case.classes
    rows = torch.cat([1e4 * (2 * torch.eye(size) - 1), torch.full((1, size), 1e4), torch.full((1, size), -1e4)])
    target = torch.arange(size).repeat_interleave(len(rows))
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        logits = rows.repeat(size, 1).to(dtype).requires_grad_()
        values = case(logits, target)
        assert values.isfinite().all(), f"values {values.tolist()} in {dtype}"
        assert gradient(values, logits).isfinite().all(), f"a gradient that is not finite in {dtype}"
        near(values.double(), case(logits.double(), target), 1e-6)


def _masked(case: Case, left: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Logits of which all but the first ``left`` classes, the target among them, are impossible."""
    logits, target = draw(case, 12, dtype=dtype)
    place = (torch.arange(case.classes) - target[:, None]) % case.classes
    return logits.detach().masked_fill(place >= left, -math.inf).requires_grad_(), target


@categorical
def impossible_classes(case: Case) -> None:
    """-inf on all but one or two classes gives no nan, neither in the values nor in the gradients."""
    for left in (1, 2):
        for dtype in (torch.float64, torch.float32, torch.bfloat16):
            logits, target = _masked(case, left, dtype)
            values = case(logits, target)
            assert not values.isnan().any(), f"nan with {left} classes left"
            slope = gradient(values[values.isfinite()], logits)
            assert slope.isfinite().all(), f"a gradient that is not finite with {left} classes left"


@categorical
def finite_where_possible(case: Case) -> None:
    """A target that is possible has a finite loss, whatever else is impossible."""
    logits, target = _masked(case, 2, torch.float64)
    assert case(logits, target).isfinite().all()


@categorical
def precision(case: Case) -> None:
    """Against float64 on the same logits, no further off than PyTorch's own cross-entropy; half precision reads as float32.

    Float64 cannot show its own rounding: there what is wanted is itself off, by as many ulps as the same formula in float32.
    """
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        logits, target = draw(case, 200, dtype=dtype)
        exact = logits.detach().double().requires_grad_()
        values, want = case(logits, target), whole(case, exact, target)
        assert values.dtype == (torch.float64 if dtype == torch.float64 else torch.float32), f"{dtype} gave {values.dtype}"
        eps, wide = torch.finfo(values.dtype).eps, exact.detach().to(values.dtype)
        rounded = _rounding(case, exact, target) if dtype == torch.float64 else (0.0, 0.0)
        torchs = off(_torchs(wide, target), _torchs(exact, target))
        assert off(values, want) <= torchs + rounded[0] + 8 * eps, f"values in {dtype} are {off(values, want):.2g} off"
        slope = off(gradient(values, logits), gradient(want, exact))
        torchs = off(gradient(_torchs(logits, target), logits), gradient(_torchs(exact, target), exact))
        assert slope <= torchs + rounded[1] + 4 * torch.finfo(dtype).eps, f"gradients in {dtype} are {slope:.2g} off"


def _rounding(case: Case, logits: Tensor, target: Tensor) -> tuple[float, float]:
    """How far the formula's values and gradients are off in float64: as many ulps as in float32, whose rounding float64 shows."""
    single = logits.detach().float().requires_grad_()
    exact = single.detach().double().requires_grad_()
    values, want = whole(case, single, target), whole(case, exact, target)
    ulps = torch.finfo(torch.float64).eps / torch.finfo(torch.float32).eps
    return off(values, want) * ulps, off(gradient(values, single), gradient(want, exact)) * ulps


def _torchs(logits: Tensor, target: Tensor) -> Tensor:
    return functional.cross_entropy(logits, target, reduction="none")


@categorical
def empty_batch(case: Case) -> None:
    """No positions, no values, and a gradient that is none."""
    for shape in ((0,), (3, 0)):
        logits, target = draw(case, *shape)
        values = case(logits, target)
        assert values.shape == shape
        assert gradient(values, logits).shape == logits.shape


@categorical
def determinism(case: Case) -> None:
    """The same bits each time, whatever the state of the random numbers; what is given is not written to."""
    logits, target = draw(case, 50, dtype=torch.float32)
    kept = logits.detach().clone(), target.clone()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first = case(logits, target)
        torch.manual_seed(2)
        assert torch.equal(first, case(logits, target))
    assert torch.equal(logits, kept[0])
    assert torch.equal(target, kept[1])


@categorical
def transforms(case: Case) -> None:
    """torch.func's grad and vmap give what autograd and the batch give."""
    logits, target = draw(case, 6)
    values = case(logits, target)
    near(torch.func.vmap(case)(logits, target), values)
    near(torch.func.vmap(torch.func.grad(case))(logits, target), gradient(values, logits))


@categorical
def micro_batches(case: Case) -> None:
    """The weighted mean of a step does not depend on how the step is cut."""
    split_sums(case, *draw(case, 12))
