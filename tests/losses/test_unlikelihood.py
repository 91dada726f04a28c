"""Unlikelihood against numbers worked by hand, at the edges where 1 - p cancels or vanishes."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from lossworks.core.errors import UsageError
from lossworks.losses import CrossEntropy, Unlikelihood
from lossworks.scores.tile import Tile


def formula(loss: Unlikelihood, p: Tensor, y: Tensor) -> Tensor:
    """Every outcome but the target pushed down, as ``beside`` asks."""
    others = torch.stack([p[:, [j for j in range(p.shape[-1]) if j != i]].sum(-1) for i in range(p.shape[-1])], -1)
    return -(y * p).sum(-1).log() - loss.alpha * ((1 - y) * others.log()).sum(-1)


def beside(target: Tensor, classes: int) -> dict[str, Any]:
    """All outcomes are negatives, the target among them, and one place of padding."""
    return {"negatives": torch.arange(-1, classes).expand(*target.shape, -1)}


ODD: dict[str, dict[str, str]] = {"alpha=0": {}, "alpha=0.25": {}, "alpha=3": {}}


def test_by_hand() -> None:
    """Probabilities 1/2, 1/4, 1/4; the first should be said, the second not: log 2 + log(4/3)."""
    logits = torch.tensor([math.log(2), 0.0, 0.0], dtype=torch.float64)
    value = Unlikelihood()(logits, torch.tensor(0), negatives=torch.tensor([1]))
    assert value.item() == pytest.approx(math.log(2) + math.log(4 / 3))


def test_limits() -> None:
    """Nothing but padding and the target itself, or alpha = 0: cross-entropy, in values and gradients."""
    logits, target = torch.randn(30, 4, dtype=torch.float64, requires_grad=True), torch.randint(4, (30,))
    nothing = torch.stack([target, torch.full_like(target, -100)], -1)
    want = CrossEntropy()(logits, target)
    cases = (Unlikelihood(), nothing), (Unlikelihood(), nothing[:, :0]), (Unlikelihood(alpha=0.0), (nothing + 1).clamp_max(3))
    for loss, negatives in cases:
        values = loss(logits, target, negatives=negatives)
        torch.testing.assert_close(values, want, rtol=1e-12, atol=1e-12)
        slopes = (torch.autograd.grad(v.sum(), logits, retain_graph=True)[0] for v in (values, want))
        torch.testing.assert_close(*slopes, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("lead", [5.0, 20.0, 60.0, 1e4])
@pytest.mark.parametrize("behind", [0.0, 7.0, 4e3])
def test_a_negative_that_is_sure(lead: float, behind: float) -> None:
    """Where 1 - p rounds to 0 in float32 it costs what the best of the others is behind, the target or not."""
    logits = torch.tensor([-behind, lead, -1.0], requires_grad=True)
    exact = logits.detach().double().requires_grad_()
    value = Unlikelihood()(logits, torch.tensor(0), negatives=torch.tensor([1]))
    own, rest, all_three = exact[0], torch.logsumexp(exact[::2], 0), torch.logsumexp(exact, 0)
    want = 2 * all_three - own - rest
    assert value.item() == pytest.approx(want.item(), rel=1e-6)
    slopes = torch.autograd.grad(value, logits)[0].double(), torch.autograd.grad(want, exact)[0]
    torch.testing.assert_close(*slopes, rtol=1e-5, atol=1e-6)


def test_an_impossible_rest() -> None:
    """A negative that alone is possible costs infinitely much; with alpha = 0 what the target costs, and that is no less."""
    logits = torch.tensor([-math.inf, 0.0, -math.inf], requires_grad=True)
    for alpha in (0.0, 1.0):
        assert Unlikelihood(alpha=alpha)(logits, torch.tensor(0), negatives=torch.tensor([1])).item() == math.inf


def test_all_outcomes_are_passed_over_for_likely_negatives_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a tile, whose numbers may be looked at; values and gradients are those of dense scores either way."""
    passes = []
    whole = Tile.rest_logp
    monkeypatch.setattr(Tile, "rest_logp", property(lambda self: passes.append(1) or whole.func(self)))
    logits, target = torch.randn(6, 5, dtype=torch.float64) / 9, torch.tensor([0, 1, 2, 3, 4, 0])
    logits[5, 3] = 9.0
    for named, wanted in ((torch.tensor([[4, -1]] * 6), 0), (torch.tensor([[4, 3]] * 6), 1)):
        tile, z = Tile(logits.clone(), target, None, named, torch.empty_like(logits)), logits.clone().requires_grad_()
        got, want = Unlikelihood().values(tile), Unlikelihood()(z, target, negatives=named)
        torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)
        slopes = tile.backward(got, torch.ones(6)), torch.autograd.grad(want.sum(), z)[0]
        torch.testing.assert_close(*slopes, rtol=1e-12, atol=1e-12)
        assert len(passes) == wanted


def test_repeats_and_order() -> None:
    """A negative named twice counts twice; the order of the negatives does not matter."""
    logits, target = torch.randn(4, dtype=torch.float64), torch.tensor(0)
    named = [torch.tensor(ids, dtype=torch.int64) for ids in ([1], [1, 1], [1, 3], [3, 1], [])]
    costs = [Unlikelihood()(logits, target, negatives=negatives).item() for negatives in named]
    assert costs[1] - costs[0] == pytest.approx(costs[0] - costs[4])
    assert costs[2] == pytest.approx(costs[3])


def test_negatives_are_needed() -> None:
    """Without them there is nothing to push down."""
    with pytest.raises(UsageError, match=r"the scores have none. Give negatives="):
        Unlikelihood()(torch.zeros(3), torch.tensor(0))


@pytest.mark.parametrize("alpha", [-1.0, math.nan, math.inf])
def test_alpha_outside_the_domain(alpha: float) -> None:
    """A weight is finite and not below 0."""
    with pytest.raises(UsageError, match=f"alpha is {alpha}; wanted a finite number, 0 or more"):
        Unlikelihood(alpha=alpha)
