"""What every loss over pairs of answers owes: each property is a function of a ``Case``, and raises where the loss breaks it.

Here ``formula(loss, pairs)`` is the independent spelling.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from losses.case import SHAPES, Case, gradient, near, off, split_sums
from lossworks.losses import Pairs

PROPERTIES: dict[str, Callable[[Case], None]] = {}


def preference(check: Callable[[Case], None]) -> Callable[[Case], None]:
    """A property of losses over pairs."""
    PROPERTIES[check.__name__] = check
    return check


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Log-probabilities [*shape, 2] of chosen and rejected answers, which ask for gradients, and those of the reference."""
    rng = torch.Generator().manual_seed(seed)
    own, reference = -0.1 - 20 * torch.rand(2, *shape, 2, generator=rng, dtype=torch.float64)
    return own.to(dtype).requires_grad_(), reference.to(dtype)


def pairs(own: Tensor, reference: Tensor) -> Pairs:
    """Pairs that have all that a loss may ask for; lengths of 3 to 9 tokens, a baseline of 0.5."""
    lengths = 3 + (-reference.double()).floor().long() % 7
    return Pairs(
        chosen=own[..., 0],
        rejected=own[..., 1],
        reference_chosen=reference[..., 0],
        reference_rejected=reference[..., 1],
        chosen_length=lengths[..., 0],
        rejected_length=lengths[..., 1],
        baseline=reference.new_tensor(0.5),
    )


def values(case: Case, own: Tensor, reference: Tensor) -> Tensor:
    """One value a pair."""
    result: Tensor = case.loss.preferences(pairs(own, reference))
    return result


def whole(case: Case, own: Tensor, reference: Tensor) -> Tensor:
    """The values by the formula; by the loss itself where none is given."""
    return values(case, own, reference) if case.formula is None else case.formula(case.loss, pairs(own, reference))


@preference
def pair_any_shape(case: Case) -> None:
    """Any leading axes, none and empty ones too, give one value a pair: those of the pairs in a row."""
    for seed, shape in enumerate(SHAPES):
        own, reference = draw(*shape, seed=seed)
        result = values(case, own, reference)
        assert result.shape == shape, f"pairs {shape} gave values {tuple(result.shape)}"
        near(result.flatten(), values(case, own.reshape(-1, 2), reference.reshape(-1, 2)))
        assert gradient(result, own).shape == own.shape


@preference
def pair_first_derivative(case: Case) -> None:
    """The gradient is that of the values."""
    own, reference = draw(4)
    gradcheck(lambda a: values(case, a, reference), (own,), fast_mode=True)


@preference
def pair_second_derivative(case: Case) -> None:
    """And the gradient's gradient is that of the gradient."""
    own, reference = draw(3)
    gradgradcheck(lambda a: values(case, a, reference), (own,), fast_mode=True)


@preference
def pair_formula(case: Case) -> None:
    """Values and gradients are those of an independent spelling."""
    if case.formula is None:
        return
    own, reference = draw(50)
    result, want = values(case, own, reference), whole(case, own, reference)
    near(result, want)
    near(gradient(result, own), gradient(want, own))


@preference
def pair_locality(case: Case) -> None:
    """Pair i's value and gradient depend on pair i alone."""
    own, reference = draw(4)
    near(values(case, own, reference), torch.stack([values(case, own[i], reference[i]) for i in range(4)]))
    slopes = torch.autograd.functional.jacobian(lambda a: values(case, a, reference), own)
    for i in range(4):
        assert not slopes[i, [j for j in range(4) if j != i]].any(), f"value {i} depends on other pairs"


@preference
def pair_learns(case: Case) -> None:
    """From the reference on, a step down the gradient makes the chosen answer more and the rejected one less probable."""
    _, reference = draw(50)
    own = reference.clone().requires_grad_()
    slope = gradient(values(case, own, reference), own)
    assert (slope[:, 0] < 0).all(), "the chosen answer becomes less probable"
    assert (slope[:, 1] > 0).all(), "the rejected answer becomes more probable"


@preference
def pair_reference_is_fixed(case: Case) -> None:
    """The reference and the baseline get no gradient."""
    own, reference = draw(4)
    given = pairs(own, reference.requires_grad_())
    given = dataclasses.replace(given, baseline=torch.tensor(0.5, dtype=torch.float64, requires_grad=True))
    slopes = torch.autograd.grad(case.loss.preferences(given).sum(), (reference, given.baseline), allow_unused=True)
    assert all(slope is None or not slope.any() for slope in slopes)


@preference
def pair_extremes(case: Case) -> None:
    """Log-probabilities of -1e4 and 0 give finite values and gradients in float32, and right ones."""
    ends = torch.tensor([-1e4, -1.0, -1e-6, 0.0])
    grid = torch.stack([end.flatten() for end in torch.meshgrid(*[ends] * 4, indexing="ij")], -1)
    own, reference = grid[:, :2].clone().requires_grad_(), grid[:, 2:]
    result = values(case, own, reference)
    assert result.isfinite().all()
    assert gradient(result, own).isfinite().all()
    certain = (own == 0).any(-1)  # odds without end, which each precision ends elsewhere
    near(result.double()[~certain], values(case, own.double(), reference.double())[~certain], 1e-6)


@preference
def pair_precision(case: Case) -> None:
    """Values and gradients in float32 are near those in float64."""
    for dtype in (torch.float64, torch.float32):
        own, reference = draw(200, dtype=dtype)
        exact = own.detach().double().requires_grad_()
        result, want = values(case, own, reference), whole(case, exact, reference.double())
        assert result.dtype == dtype
        eps = torch.finfo(dtype).eps
        assert off(result, want) <= 16 * eps, f"values in {dtype} are {off(result, want):.2g} off"
        slope = off(gradient(result, own), gradient(want, exact))
        assert slope <= 16 * eps, f"gradients in {dtype} are {slope:.2g} off"


@preference
def pair_determinism(case: Case) -> None:
    """The same bits each time; what is given is not written to."""
    own, reference = draw(50, dtype=torch.float32)
    kept = own.detach().clone(), reference.clone()
    assert torch.equal(values(case, own, reference), values(case, own, reference))
    assert torch.equal(own, kept[0])
    assert torch.equal(reference, kept[1])


@preference
def pair_transforms(case: Case) -> None:
    """torch.func's vmap and grad give what the batch and autograd give."""
    own, reference = draw(6)

    def one(a: Tensor, b: Tensor) -> Tensor:
        return values(case, a, b)

    near(torch.func.vmap(one)(own, reference), values(case, own, reference))
    near(torch.func.vmap(torch.func.grad(one))(own, reference), gradient(values(case, own, reference), own))


@preference
def pair_micro_batches(case: Case) -> None:
    """The weighted mean of a step does not depend on how the step is cut."""
    split_sums(lambda a, b: values(case, a, b), *draw(12))
