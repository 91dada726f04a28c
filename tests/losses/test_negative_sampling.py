"""Negative sampling against numbers worked by hand, and the vectors that it should find."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from lossworks.losses import NegativeSampling, NoiseContrastive
from lossworks.scores.sampled import Candidates, Noise, candidates

ODD: dict[str, dict[str, str]] = {"samples=1": {}, "samples=1000": {}}


def test_by_hand() -> None:
    """σ(log 3) = 3/4 for the target, σ(-log 1) = 1/2 for noise, and a hit counts nothing, whatever q: log 4/3 + log 2."""
    count = torch.tensor([5.0, 9.0])
    seen = Candidates(torch.tensor(3.0).log(), torch.tensor([1.0, 3.0]).log(), count[0], count, torch.tensor([False, True]))
    assert NegativeSampling().values(seen).item() == pytest.approx(math.log(4 / 3 * 2))


def test_limit() -> None:
    """Without hits it is noise-contrastive estimation for outcomes that each stand for themselves."""
    hidden, weight, ids = torch.randn(5, 3), torch.randn(9, 3), torch.tensor([6, 7, 8])
    seen = candidates(hidden, weight, torch.arange(5), ids)
    torch.testing.assert_close(NegativeSampling().values(seen), NoiseContrastive().values(seen))


def test_finds_the_mutual_information() -> None:
    """Over 4 outcomes with probabilities p, and q uniform, the least loss is at z = log p / (K q (1 - p))."""
    z = torch.zeros(4, 1, dtype=torch.float64, requires_grad=True)
    target, hidden = torch.tensor([0, 1, 1, 2, 2, 2, 3, 3, 3, 3]), torch.ones(10, 1, dtype=torch.float64)
    search = torch.optim.LBFGS([z], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-15, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        search.zero_grad()
        value = NegativeSampling().values(candidates(hidden, z, target, torch.arange(4).repeat(3))).mean()
        value.backward()
        return value

    search.step(closure)
    p = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    torch.testing.assert_close(z.detach().exp()[:, 0], p / (3 * (1 - p)), rtol=1e-6, atol=0)


def test_first_derivative() -> None:
    """Into the hidden states, the head and its bias, with hits among the noise."""
    hidden, weight, bias = (torch.randn(*size, dtype=torch.float64, requires_grad=True) for size in ((3, 4), (7, 4), (7,)))
    target, noise = torch.randint(7, (3,)), Noise.from_counts(torch.arange(1, 8))

    def values(h: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return NegativeSampling(samples=20)(h, w, target, noise=noise, generator=torch.Generator().manual_seed(0), bias=b)

    gradcheck(values, (hidden, weight, bias))


def test_as_many_outcomes_as_samples() -> None:
    """At logits of 0 and a target that is never drawn, each outcome costs log 2."""
    noise = Noise(torch.tensor([1e-12, 1.0, 1.0]))
    for samples in (1, 64, 1000):
        value = NegativeSampling(samples=samples)(torch.zeros(2), torch.zeros(3, 2), torch.tensor(0), noise=noise)
        assert value.item() == pytest.approx((1 + samples) * math.log(2), rel=1e-5)


def test_extremes() -> None:
    """Logits of ±1e4 give finite values and gradients: sure and right costs nothing, sure and wrong its margin."""
    hidden = torch.tensor([[1e4], [-1e4]], requires_grad=True)
    weight = torch.tensor([[1.0], [-1.0]])
    values = NegativeSampling().values(candidates(hidden, weight, torch.tensor([0, 0]), torch.tensor([0, 1])))
    assert values.tolist() == pytest.approx([0, 2e4])
    assert torch.autograd.grad(values.sum(), hidden)[0].isfinite().all()
