"""Noise-contrastive estimation against numbers worked by hand and the distribution that it should find."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from lossworks.losses import CrossEntropy, NoiseContrastive
from lossworks.scores.sampled import Candidates, Noise, candidates

ODD: dict[str, dict[str, str]] = {"samples=1": {}, "samples=1000": {}}


class Fair(Noise):
    """Noise without luck: each outcome exactly as often as is expected."""

    def draw(self, k: int, generator: torch.Generator | None = None) -> Tensor:
        times = (self.log_prob(torch.arange(self.classes)).exp() * k).round().long()
        return torch.repeat_interleave(torch.arange(self.classes), times)


def test_by_hand() -> None:
    """Odds of data exp(z) / K q are 3 for the target, 1 and 1/4 for the noise, a hit among it: log 4/3 + log 2 + log 5/4."""
    seen = Candidates(
        torch.tensor(6.0).log(),
        torch.tensor([5.0, 0.5]).log(),
        torch.tensor(2.0).log(),
        torch.tensor([5.0, 2.0]).log(),
        torch.tensor([False, True]),
    )
    assert NoiseContrastive().values(seen).item() == pytest.approx(math.log(4 / 3 * 2 * 5 / 4))


@pytest.mark.parametrize("samples", [10, 1000])
@pytest.mark.parametrize("noise", [Fair(torch.ones(4)), Fair(torch.tensor([1.0, 4.0, 3.0, 2.0]))], ids=["uniform", "skewed"])
def test_finds_normalised_probabilities(samples: int, noise: Fair) -> None:
    """Over 4 outcomes seen 1, 2, 3 and 4 times in 10, the least loss is where z = log p itself, though nothing normalises."""
    samples = samples * 2 if noise.log_prob(torch.tensor(0)).exp() == 0.25 else samples
    z = torch.zeros(4, 1, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([0, 1, 1, 2, 2, 2, 3, 3, 3, 3])
    hidden = torch.ones(10, 1, dtype=torch.float64)
    search = torch.optim.LBFGS([z], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-15, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        search.zero_grad()
        value = NoiseContrastive(samples=samples)(hidden, z, target, noise=noise).mean()
        value.backward()
        return value

    search.step(closure)
    torch.testing.assert_close(z.detach().exp()[:, 0], torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64), rtol=1e-6, atol=0)


def test_many_samples_have_the_gradient_of_maximum_likelihood() -> None:
    """Where the scores are normalised, the gradient nears that of -log p, with an error that falls with 1/K."""
    z = torch.randn(6, dtype=torch.float64).log_softmax(0)[:, None].requires_grad_()
    hidden, target = torch.ones(1, 1, dtype=torch.float64), torch.tensor([2])
    want = torch.autograd.grad(CrossEntropy()(hidden @ z.T, target).sum(), z)[0]
    off = []
    for samples in (600, 60_000):
        values = NoiseContrastive(samples=samples)(hidden, z, target, noise=Fair(torch.ones(6)))
        off.append(float((torch.autograd.grad(values.sum(), z)[0] - want).abs().max()))
    assert off[1] == pytest.approx(off[0] / 100, rel=0.02)
    assert off[1] < 1e-3


def test_first_derivative() -> None:
    """Into the hidden states, the head and its bias, with hits among the noise."""
    hidden, weight, bias = (torch.randn(*size, dtype=torch.float64, requires_grad=True) for size in ((3, 4), (7, 4), (7,)))
    target, noise = torch.randint(7, (3,)), Noise.log_uniform(7)

    def values(h: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return NoiseContrastive(samples=20)(h, w, target, noise=noise, generator=torch.Generator().manual_seed(0), bias=b)

    gradcheck(values, (hidden, weight, bias))


def test_the_bias_shifts_the_logits() -> None:
    """A bias is a column of the head that always reads 1."""
    hidden, weight, bias, target = torch.randn(3, 4), torch.randn(7, 4), torch.randn(7), torch.tensor([0, 6, 6])
    ids, noise = torch.tensor([0, 6, 3]), Noise.uniform(7)
    wide = torch.cat([hidden, torch.ones(3, 1)], -1), torch.cat([weight, bias[:, None]], -1)
    ours, theirs = candidates(hidden, weight, target, ids, noise=noise, bias=bias), candidates(*wide, target, ids, noise=noise)
    torch.testing.assert_close(NoiseContrastive().values(ours), NoiseContrastive().values(theirs))


def test_extremes() -> None:
    """Logits of ±1e4 give finite values and gradients: sure and right costs next to nothing, sure and wrong its margin."""
    hidden = torch.tensor([[1e4], [-1e4]], requires_grad=True)
    weight, noise = torch.tensor([[1.0], [-1.0]]), Fair(torch.ones(2))
    values = NoiseContrastive(samples=2)(hidden, weight, torch.tensor([0, 0]), noise=noise)
    assert values.tolist() == pytest.approx([1e4, 2e4])  # a hit is noise, and the logit says data
    assert torch.autograd.grad(values.sum(), hidden)[0].isfinite().all()
