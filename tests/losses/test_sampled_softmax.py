"""Sampled softmax against numbers worked by hand and the softmax that it estimates."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from lossworks.core.errors import UsageError
from lossworks.losses import CrossEntropy, SampledSoftmax
from lossworks.scores.sampled import Candidates, Noise, candidates

ODD: dict[str, dict[str, str]] = {"samples=1": {}, "samples=1000": {}}

CLASSES = 12


def head(*shape: int) -> tuple[Tensor, Tensor, Tensor]:
    """Hidden states and a head that ask for gradients, and targets."""
    hidden, weight = (torch.randn(*size, 4, dtype=torch.float64, requires_grad=True) for size in (shape, (CLASSES,)))
    return hidden, weight, torch.randint(CLASSES, shape)


def test_by_hand() -> None:
    """z_y = log 2; noise at log 3 with K q = 1/2 counts 6, at log 5 with K q = 5 counts 1, a hit 0: -log 2/9."""
    z = torch.tensor([3.0, 5.0, 2.0]).log()
    seen = Candidates(
        torch.tensor(2.0).log(), z, torch.tensor(7.0), torch.tensor([0.5, 5.0, 0.1]).log(), torch.tensor([False, False, True])
    )
    assert SampledSoftmax().values(seen).item() == pytest.approx(math.log(9 / 2))


def test_every_outcome_as_noise_is_the_full_softmax() -> None:
    """Values and gradients of cross-entropy."""
    hidden, weight, target = head(2, 5)
    got = SampledSoftmax().values(candidates(hidden, weight, target, torch.arange(CLASSES), noise=Noise.uniform(CLASSES)))
    want = CrossEntropy()(hidden @ weight.T, target)
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)
    slopes = [torch.autograd.grad(values.sum(), (hidden, weight)) for values in (got, want)]
    for ours, theirs in zip(*slopes, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("noise", [Noise.uniform(CLASSES), Noise.log_uniform(CLASSES)], ids=["uniform", "log_uniform"])
def test_the_expected_gradient_approaches_the_full_one(noise: Noise) -> None:
    """The mean gradient of 400 draws is the full one, within 5 standard errors and the bias that a finite K has.

    The bias of exp(z_i) / Ẑ, to first order in the relative variance v of the estimated normaliser Ẑ, is at most
    p_i v + |cov(exp(z_i), Ẑ)| / Z² <= v + v = 2 v, and v is known: (Σ_{i≠y} exp(2 z_i) / q_i - (Σ_{i≠y} exp z_i)²) / (K Z²).
    """
    hidden, weight, target = head(1)
    logits = (hidden @ weight.T)[0].detach()
    full = torch.autograd.grad(CrossEntropy()(hidden @ weight.T, target).sum(), hidden)[0]
    others = logits[torch.arange(CLASSES) != target]
    q = noise.log_prob(torch.arange(CLASSES)[torch.arange(CLASSES) != target]).exp()
    spread = ((2 * others).exp() / q).sum() - others.exp().sum().square()
    rng, size = torch.Generator().manual_seed(3), weight.detach().abs().max() * CLASSES
    off = []
    for samples in (4, 1024):
        loss = SampledSoftmax(samples=samples)
        draws = torch.cat([_slope(loss, hidden, weight, target, noise, rng) for _ in range(400)])
        bias = 2 * size * spread / (samples * logits.exp().sum().square())
        error = (draws.mean(0) - full[0]).abs()
        assert (error <= 5 * draws.std(0) / 20 + bias).all()
        off.append(float((draws - full).norm(dim=-1).mean()))
    assert off[1] < off[0] / 8  # each draw is off by 1/√K: 16 times less with 256 times the samples


def _slope(loss: SampledSoftmax, hidden: Tensor, weight: Tensor, target: Tensor, noise: Noise, rng: torch.Generator) -> Tensor:
    return torch.autograd.grad(loss(hidden, weight, target, noise=noise, generator=rng).sum(), hidden)[0]


def test_first_derivative() -> None:
    """Into the hidden states, the head and its bias, with hits among the noise."""
    hidden, weight, target = head(3)
    bias = torch.randn(CLASSES, dtype=torch.float64, requires_grad=True)
    noise = Noise.log_uniform(CLASSES)

    def values(h: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return SampledSoftmax(samples=20)(h, w, target, noise=noise, generator=torch.Generator().manual_seed(0), bias=b)

    gradcheck(values, (hidden, weight, bias))


def test_the_generator_decides() -> None:
    """The same state gives the same bits, another one other noise; the value depends on its own position and the noise alone."""
    hidden, weight, target = head(4)
    noise, loss = Noise.uniform(CLASSES), SampledSoftmax(samples=5)
    first, again, other = (
        loss(hidden, weight, target, noise=noise, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    alone = loss(hidden[2], weight, target[2], noise=noise, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(alone, first[2])


def test_extremes() -> None:
    """Logits of ±1e4 give finite values and gradients; noise that is nothing but hits costs nothing."""
    hidden = torch.tensor([[1e4], [-1e4]], requires_grad=True)
    weight = torch.tensor([[1.0], [-1.0]])
    values = SampledSoftmax()(hidden, weight, torch.tensor([0, 0]), noise=Noise.uniform(2))
    assert values.tolist() == pytest.approx([0, 2e4], rel=1e-3)
    assert torch.autograd.grad(values.sum(), hidden)[0].isfinite().all()
    assert SampledSoftmax()(hidden[:, :], weight[:1], torch.tensor([0, 0]), noise=Noise.uniform(1)).tolist() == [0, 0]


def test_values_outside_the_domain() -> None:
    """There is at least one noise outcome."""
    with pytest.raises(UsageError, match="samples is 0; wanted 1 or more"):
        SampledSoftmax(samples=0)
