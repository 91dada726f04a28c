"""Losses that read only what lies near the largest logit: in tiles they look at nothing else, and nothing is lost by it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from losses.test_sparsemax import SPREADS, spread
from lossworks import losses
from lossworks.losses import Sparsemax
from lossworks.scores import Scores, dense
from lossworks.scores import tile as module
from lossworks.scores.tile import Tile


def tile(logits: Tensor, target: Tensor) -> Tile:
    """As a chunked head makes them."""
    return Tile(logits.detach().clone(), target, None, None, torch.empty_like(logits))


def both(loss: losses.CategoricalLoss, logits: Tensor, target: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Values and gradients, by a tile and with the logits whole."""
    z = logits.clone().requires_grad_()
    here, whole = tile(logits, target), loss.values(dense(z, target))
    values = loss.values(here)
    slope = here.backward(values, torch.ones_like(values))
    return (values.detach(), slope), (whole.detach(), torch.autograd.grad(whole.sum(), z)[0])


@pytest.mark.parametrize("spec", ["sparsemax", "entmax15", "bi_tempered", "bi_tempered:t1=0.5,t2=3,label_smoothing=0.1"])
@pytest.mark.parametrize("classes", [40, 2001])
@pytest.mark.parametrize("kind", SPREADS)
def test_tiles_are_exact(kind: str, classes: int, spec: str) -> None:
    """Stopping early and leaving outcomes out, where few lie near the largest, where many do, and where all are equal."""
    loss = losses.build(spec)
    assert isinstance(loss, losses.CategoricalLoss)
    got, want = both(loss, spread(kind, classes), torch.randint(classes, (20,)))
    torch.testing.assert_close(got, want, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("spec", ["sparsemax", "entmax15", "bi_tempered", "bi_tempered:t1=0.5,t2=3,label_smoothing=0.1"])
@pytest.mark.parametrize("kind", ["narrow", "normal", "wide", "equal"])
def test_stopping_costs_no_digits(kind: str, spec: str) -> None:
    """In float32 a tile's gradients are as near to float64's as those of all steps are."""
    loss, logits, target = losses.build(spec), spread(kind, 3000).float(), torch.randint(3000, (20,))
    assert isinstance(loss, losses.CategoricalLoss)
    (_, ours), (_, whole) = both(loss, logits, target)
    exact = both(loss, logits.double(), target)[1][1]
    room = torch.finfo(torch.float32).eps * exact.norm()
    assert (ours - exact).norm() <= 1.5 * (whole - exact).norm() + room


@pytest.mark.parametrize("classes", [1, 31, 32, 33, 100, 1000])
def test_all_that_is_near_is_found(classes: int) -> None:
    """Each outcome within reach of its row's largest, once; a tie and an impossible outcome too."""
    logits = 3 * torch.randn(7, classes)
    logits[0], logits[1, 1:], logits[2] = 0.5, -math.inf, logits[2].round()
    with patch.object(module, "_FEW", 0):  # however many they are
        found = tile(logits, torch.zeros(7, dtype=torch.int64))._near(2.0)
    assert found is not None
    ids, there = found
    for row in range(7):
        want = (logits[row] >= logits[row].max() - 2).nonzero().flatten()
        assert torch.equal(ids[row][there[row]].sort().values, want)


def test_a_tile_reads_few_outcomes() -> None:
    """A function of what is near is called with the few of them, and with all where few are not to be had."""
    target, seen = torch.zeros(20, dtype=torch.int64), []

    def width(z: Tensor) -> tuple[Tensor]:
        seen.append(z.shape[-1])
        return ((z - z.detach()).exp(),)

    some = spread("wide", 2000)
    for at in range(10):  # each of these has a few near outcomes in three of four stripes
        some[at, : 3 * 125 // 4 + 1] = some[at].max()
    for logits in (
        spread("wide", 2000),
        some,
        spread("equal", 2000),
        torch.cat([spread("wide", 2000)[:19], torch.zeros(1, 2000)]),
    ):
        tile(logits, target).sums_near(1.0)(width)
    assert seen[0] <= 10
    assert seen[1] <= 110
    assert seen[2] == 2000
    some[0] = 0  # a row of which all is near, for which the others would be as wide
    assert tile(some, target)._near(1.0) is None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Short(Sparsemax):
    """Reaches less far than it must."""

    def values(self, scores: Scores) -> Tensor:
        near = type(scores).sums_near
        with patch.object(type(scores), "sums_near", lambda self, reach: near(self, 0.5 * reach)):
            return Sparsemax.values(self, scores)


def test_a_reach_that_is_too_short_is_seen() -> None:
    """The comparison above would not miss it."""
    got, want = both(_Short(), spread("normal", 2001), torch.randint(2001, (20,)))
    with pytest.raises(AssertionError):
        torch.testing.assert_close(got, want, rtol=1e-11, atol=1e-11)


def test_the_largest() -> None:
    """``top`` is the largest log-probability, whichever scores say it."""
    logits, target = torch.randn(5, 9, dtype=torch.float64), torch.zeros(5, dtype=torch.int64)
    want = logits.log_softmax(-1).amax(-1)
    for scores in (dense(logits, target), tile(logits, target)):
        torch.testing.assert_close(scores.top, want, rtol=1e-13, atol=1e-13)


def test_the_runner_up() -> None:
    """What dense scores say, and the same gradient, also among equals, beside impossible outcomes, and where it is alone."""
    inf = math.inf
    rows = [[1.0, 1.0, 1.0, 0.0], [-inf, 2.0, -inf, -inf], [5.0, 0.0, -inf, 4.0], [-3.0, 9.0, 9.0, 1.0]]
    for logits in (torch.tensor(rows, dtype=torch.float64), torch.zeros(4, 1, dtype=torch.float64)):
        target = torch.tensor([0, 1, 0, 2]) % logits.shape[1]
        z = logits.clone().requires_grad_()
        here, want = tile(logits, target), dense(z, target).max_other_logp
        got = here.max_other_logp
        assert torch.equal(got.detach().isneginf(), want.detach().isneginf())
        there = want.isfinite()
        torch.testing.assert_close(got[there], want[there], rtol=1e-13, atol=1e-13)
        if there.any():
            slope = torch.autograd.grad(want[there].sum(), z)[0]
            torch.testing.assert_close(here.backward(got, there.double())[there], slope[there], rtol=1e-13, atol=1e-13)
