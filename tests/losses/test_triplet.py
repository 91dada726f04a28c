"""The triplet loss against numbers worked by hand and PyTorch."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, triplet_margin_loss, triplet_margin_with_distance_loss

from lossworks.core.errors import UsageError
from lossworks.losses import Triplet


def formula(loss: Triplet, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
    """Distances from inner products."""
    near, far = (_apart(loss.distance, anchor, other) for other in (positive, negative))
    return torch.where(near - far + loss.margin > 0, near - far + loss.margin, 0.0)


def _apart(distance: str, a: Tensor, b: Tensor) -> Tensor:
    if distance == "cosine":
        return 1 - (a * b).sum(-1) / ((a * a).sum(-1) * (b * b).sum(-1)).sqrt()
    return ((a - b) ** 2).sum(-1).sqrt()


def beside(rows: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Anchors, positives and negatives of width 4."""
    drawn = torch.randn(3, rows, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn[0].clone(), drawn[1].clone(), drawn[2].clone()


ODD: dict[str, dict[str, str]] = {"margin=0": {}, "margin=0.2,distance=cosine": {}, "margin=10": {}}


def test_by_hand() -> None:
    """A positive 5 away and a negative 3 away cost 2 and the margin; the other way round it is won by 2."""
    origin, far, near = torch.zeros(1, 2), torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 3.0]])
    assert Triplet(margin=0.5).contrasts(origin, far, near).tolist() == [2.5]
    assert Triplet(margin=0.5).contrasts(origin, near, far).tolist() == [0.0]
    assert Triplet(margin=2.5).contrasts(origin, near, far).tolist() == [0.5]


def test_by_hand_with_angles() -> None:
    """A positive at a right angle and a negative along the anchor: 1 - 0 and the margin, whatever the lengths."""
    anchor, across, along = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 7.0]]), torch.tensor([[5.0, 0.0]])
    assert Triplet(margin=0.25, distance="cosine").contrasts(anchor, across, along).tolist() == [1.25]


@pytest.mark.parametrize("margin", [1e-3, 0.3, 1.0, 5.0])
def test_agrees_with_pytorch(margin: float) -> None:
    """Its triplet losses by the same distance (PyTorch adds 1e-6 to differences where it is not told otherwise)."""
    given = beside(40, seed=3)
    want = triplet_margin_loss(*given, margin=margin, eps=0.0, reduction="none")
    torch.testing.assert_close(Triplet(margin=margin).contrasts(*given), want, rtol=1e-12, atol=1e-12)
    want = triplet_margin_with_distance_loss(
        *given, margin=margin, distance_function=lambda a, b: 1 - cosine_similarity(a, b), reduction="none"
    )
    torch.testing.assert_close(Triplet(margin=margin, distance="cosine").contrasts(*given), want, rtol=1e-12, atol=1e-12)


def test_limit() -> None:
    """Three times the same costs the margin; a negative far enough costs nothing and moves nothing."""
    same = torch.ones(3, 2)
    for distance in ("euclidean", "cosine"):
        assert Triplet(margin=0.5, distance=distance).contrasts(same, same, same).tolist() == pytest.approx([0.5] * 3)
    anchor = torch.zeros(1, 2, requires_grad=True)
    Triplet().contrasts(anchor, torch.ones(1, 2), torch.full((1, 2), 9.0)).sum().backward()
    assert anchor.grad.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"margin": -1.0}, r"margin is -1.0; wanted a finite number, 0 or more"),
        ({"margin": math.nan}, "margin is nan"),
        ({"distance": "manhattan"}, "distance is 'manhattan'; wanted one of euclidean, cosine"),
    ],
)
def test_values_outside_the_domain(keys: dict[str, object], message: str) -> None:
    """Each is refused, with what was got and what was wanted."""
    with pytest.raises(UsageError, match=message):
        Triplet(**keys)


def test_what_does_not_fit_is_refused() -> None:
    """Three of one shape."""
    with pytest.raises(UsageError, match=r"triplet: got positive \(2, 3\), negative \(1, 3\) beside \(2, 3\)"):
        Triplet().contrasts(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(1, 3))
