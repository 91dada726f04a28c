"""The bi-tempered loss against its definition, with the normaliser found by bisection, and its limits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from losses.test_sparsemax import spread
from lossworks.core.errors import UsageError
from lossworks.losses import BiTempered, CrossEntropy
from lossworks.losses.bi_tempered import _Each


def log_t(x: Tensor, t: float) -> Tensor:
    """The tempered logarithm."""
    return x.log() if t == 1 else (x ** (1 - t) - 1) / (1 - t)


def exp_t(x: Tensor, t: float) -> Tensor:
    """Its inverse."""
    return x.exp() if t == 1 else (1 + (1 - t) * x) ** (1 / (1 - t))


def normaliser(z: Tensor, t: float) -> Tensor:
    """By bisection, and then a step of Newton's method that is differentiable once."""
    with torch.no_grad():
        low = z.amax(-1, keepdim=True)
        high = low - log_t(torch.tensor(1 / z.shape[-1], dtype=z.dtype), t)
        for _ in range(80):
            middle = (low + high) / 2
            above = exp_t(z - middle, t).sum(-1, keepdim=True) > 1
            low, high = torch.where(above, middle, low), torch.where(above, high, middle)
        slope = (exp_t(z - low, t) ** t).sum(-1, keepdim=True)
    return low + (exp_t(z - low, t).sum(-1, keepdim=True) - 1) / slope


def formula(loss: BiTempered, p: Tensor, y: Tensor) -> Tensor:
    """Term by term, with log p as activations."""
    z = p.log()
    p = exp_t(z - normaliser(z, loss.t2), loss.t2)
    y = (1 - loss.label_smoothing) * y + loss.label_smoothing / y.shape[-1]
    own = torch.where(y > 0, y * (log_t(y.clamp_min(1e-300), loss.t1) - log_t(p, loss.t1)), 0.0)
    return (own - (y ** (2 - loss.t1) - p ** (2 - loss.t1)) / (2 - loss.t1)).sum(-1)


ODD: dict[str, dict[str, str]] = {
    "t1=1,t2=1": {},
    "t1=0,t2=2": {},
    "t1=0.3,t2=1": {},
    "t1=1,t2=4": {},
    "t1=0.8,t2=1.05": {},
    "t1=0.5,t2=1.5,label_smoothing=0.2": {},
    "t1=1,t2=1.2,label_smoothing=0.1": {
        "finite_where_possible": "smoothing asks for some of every outcome, and with t1 = 1 an impossible one costs infinity"
    },
}


def test_by_hand() -> None:
    """t1 = 0, t2 = 2, equal logits of two outcomes: p = 1/2, so (1 - 1/2) - (1 - 1/4 - 1/4)/2 = 1/4."""
    value = BiTempered(t1=0.0, t2=2.0)(torch.zeros(2, dtype=torch.float64), torch.tensor(0))
    assert value.item() == pytest.approx(1 / 4)


def test_limits() -> None:
    """t1 = t2 = 1 is cross-entropy; smoothed, it is that less the smoothed target's entropy."""
    logits, target = torch.randn(30, 4, dtype=torch.float64), torch.randint(4, (30,))
    torch.testing.assert_close(BiTempered(t1=1.0, t2=1.0)(logits, target), CrossEntropy()(logits, target), rtol=1e-12, atol=1e-12)
    near_by = BiTempered(t1=1 - 1e-9, t2=1 + 1e-9)(logits, target)
    torch.testing.assert_close(near_by, CrossEntropy()(logits, target), rtol=1e-6, atol=1e-6)
    entropy = -(0.85 * math.log(0.85) + 3 * 0.05 * math.log(0.05))
    smoothed = BiTempered(t1=1.0, t2=1.0, label_smoothing=0.2)(logits, target)
    torch.testing.assert_close(smoothed, CrossEntropy(label_smoothing=0.2)(logits, target) - entropy, rtol=1e-12, atol=1e-12)


def test_bounded() -> None:
    """With t1 < 1 a wrong label costs 1/(1 - t1) and no more."""
    value = BiTempered(t1=0.5, t2=1.0)(torch.tensor([1e4, -1e4], dtype=torch.float64), torch.tensor(1))
    assert value.item() == pytest.approx(1 / 0.5)


@pytest.mark.parametrize("classes", [2, 50, 2000])
@pytest.mark.parametrize("kind", ["narrow", "normal", "wide", "even", "logarithmic", "equal"])
@pytest.mark.parametrize("t2", [1.1, 2.0, 4.0])
def test_the_normaliser_is_exact(t2: float, kind: str, classes: int) -> None:
    """However heavy the tails and however many the outcomes, values and gradients are those of bisection."""
    logits, target = spread(kind, classes).requires_grad_(), torch.randint(classes, (20,))
    loss, y = BiTempered(t2=t2), torch.eye(classes, dtype=torch.float64)[target]
    pair = loss(logits, target), formula(loss, logits.softmax(-1), y)
    torch.testing.assert_close(*pair, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(*(torch.autograd.grad(v.sum(), logits)[0] for v in pair), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"t1": 1.1}, "t1 is 1.1; wanted 0 to 1"),
        ({"t2": 0.9}, "t2 is 0.9; wanted a finite number, 1 or more"),
        ({"t2": math.inf}, "t2 is inf"),
        ({"label_smoothing": -0.1}, "label_smoothing is -0.1; wanted 0 to 1"),
    ],
)
def test_values_outside_the_domain(keys: dict[str, object], message: str) -> None:
    """Each is refused, with what was got and what was wanted."""
    with pytest.raises(UsageError, match=message):
        BiTempered(**keys)


@pytest.mark.parametrize("t2", [1.0, 1.5])
def test_outputs_of_their_own(t2: float) -> None:
    """What an outcome adds is four tensors, as torch.compile wants; so p has a gradient though what it falls by has none."""
    z = spread("normal", 5).log_softmax(-1).requires_grad_()
    cost, p, *others = _Each.apply(z, BiTempered(t2=t2), 0.0)  # type: ignore[no-untyped-call]
    assert [each.requires_grad for each in (cost, p, *others)] == [True, True, False, False]
    assert len({each.data_ptr() for each in (cost, p, *others)}) == 4
