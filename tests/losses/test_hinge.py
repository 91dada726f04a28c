"""Hinge losses against numbers worked by hand, PyTorch and scikit-learn."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import hinge_loss
from torch import Tensor
from torch.nn.functional import multi_margin_loss

from lossworks import scores
from lossworks.core.errors import UsageError
from lossworks.losses import Hinge


def formula(loss: Hinge, p: Tensor, y: Tensor) -> Tensor:
    """From the log-probabilities, whose differences are those of the logits."""
    short = (1 + p.log() - (y * p.log()).sum(-1, keepdim=True)).clamp_min(0) ** loss.power * (1 - y)
    return short.sum(-1) if loss.kind == "weston_watkins" else short.amax(-1)


ODD: dict[str, dict[str, str]] = {
    "power=2": {},
    "kind=weston_watkins": {},
    "kind=weston_watkins,power=2": {},
}


def test_by_hand() -> None:
    """Logits 2, 3, 1.5 and the first is the target: short by 2 of the second and by 0.5 of the third."""
    logits, target = torch.tensor([2.0, 3.0, 1.5], dtype=torch.float64), torch.tensor(0)
    kinds = "crammer_singer", "weston_watkins"
    got = [Hinge(kind=kind, power=power)(logits, target).item() for kind in kinds for power in (1, 2)]
    assert got == pytest.approx([2.0, 4.0, 2.5, 4.25])


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("kind", ["crammer_singer", "weston_watkins"])
def test_binary(kind: str, power: int) -> None:
    """Over one logit an outcome both kinds are max(0, 1 - ±z)^power."""
    logits, target = 2 * torch.randn(50, dtype=torch.float64), torch.randint(2, (50,))
    want = (1 - (2 * target - 1) * logits).clamp_min(0) ** power
    got = Hinge(kind=kind, power=power)(scores.binary(logits, target))
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("power", [1, 2])
def test_weston_watkins_agrees_with_pytorch(power: int) -> None:
    """V times its multi_margin_loss, which takes the mean over the outcomes; gradients too."""
    logits, target = torch.randn(40, 6, dtype=torch.float64, requires_grad=True), torch.randint(6, (40,))
    pair = (
        Hinge(kind="weston_watkins", power=power)(logits, target),
        6 * multi_margin_loss(logits, target, p=power, reduction="none"),
    )
    torch.testing.assert_close(*pair, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(*(torch.autograd.grad(v.sum(), logits)[0] for v in pair), rtol=1e-12, atol=1e-12)


def test_crammer_singer_agrees_with_scikit_learn() -> None:
    """Its mean is scikit-learn's hinge loss of the decision values."""
    logits, target = torch.randn(60, 5, dtype=torch.float64), torch.arange(60) % 5
    want = hinge_loss(target.numpy(), logits.numpy(), labels=range(5))
    assert Hinge()(logits, target).mean().item() == pytest.approx(want, rel=1e-12)


def test_a_lead_of_one_is_enough() -> None:
    """From there on neither the value nor the gradient asks for more; one outcome alone has no rival."""
    for kind in ("crammer_singer", "weston_watkins"):
        logits = torch.tensor([[3.0, 1.5, 1.9]], requires_grad=True)
        value = Hinge(kind=kind)(logits, torch.tensor([0]))
        assert value.item() == pytest.approx(0, abs=1e-6)
        assert torch.autograd.grad(value.sum(), logits)[0].abs().max() < 1e-6
        assert Hinge(kind=kind)(torch.zeros(2, 1), torch.zeros(2, dtype=torch.int64)).tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"kind": "crammer"}, "kind is 'crammer'; wanted crammer_singer or weston_watkins"),
        ({"power": 3}, "power is 3; wanted 1 or 2"),
    ],
)
def test_values_outside_the_domain(keys: dict[str, object], message: str) -> None:
    """Each is refused, with what was got and what was wanted."""
    with pytest.raises(UsageError, match=message):
        Hinge(**keys)
