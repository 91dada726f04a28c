"""Cross-entropy against numbers worked by hand, PyTorch and scikit-learn."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.metrics import log_loss
from torch import Tensor
from torch.nn import functional

from lossworks import scores
from lossworks.core.errors import UsageError
from lossworks.losses import CrossEntropy

WEIGHTS = (0.5, 2.0, 1.0, 0.0)


def formula(loss: CrossEntropy, p: Tensor, y: Tensor) -> Tensor:
    """On whole distributions."""
    smoothed = (1 - loss.label_smoothing) * y + loss.label_smoothing / y.shape[-1]
    weight = p.new_tensor(loss.class_weights or (1.0,) * y.shape[-1])
    return -(smoothed * weight * p.log()).sum(-1)


_SMOOTHED = {"finite_where_possible": "smoothing asks for some of every outcome, so an impossible one costs infinity"}
ODD: dict[str, dict[str, str]] = {
    "label_smoothing=0.1": _SMOOTHED,
    "label_smoothing=1": _SMOOTHED
    | {"learns": "all of the target is smoothed away, so at uniform logits nothing is to be learnt"},
    "class_weights=1/0/2.5/100": {},
    "class_weights=3/1": {},
    "label_smoothing=0.3,class_weights=1/0.5/4": _SMOOTHED,
    "label_smoothing=0.3,class_weights=2/0/0/0": _SMOOTHED,
}


def test_by_hand() -> None:
    """Probabilities 1/4 and 3/4: -log of the target's; smoothing mixes in the mean of both."""
    logits = torch.tensor([0.0, math.log(3)], dtype=torch.float64)
    assert CrossEntropy()(logits, torch.tensor(1)).item() == pytest.approx(math.log(4 / 3))
    smooth = 0.8 * math.log(4 / 3) + 0.2 * (math.log(4 / 3) + math.log(4)) / 2
    assert CrossEntropy(label_smoothing=0.2)(logits, torch.tensor(1)).item() == pytest.approx(smooth)
    assert CrossEntropy(class_weights=(1, 5))(logits, torch.tensor(1)).item() == pytest.approx(5 * math.log(4 / 3))


@pytest.mark.parametrize("classes", [1, 2, 1000])
def test_uniform_logits_cost_log_of_the_number_of_classes(classes: int) -> None:
    """Whatever the smoothing: a model that says nothing is wrong by log V nats."""
    for smoothing in (0.0, 0.3, 1.0):
        value = CrossEntropy(label_smoothing=smoothing)(torch.zeros(classes), torch.tensor(0))
        assert value.item() == pytest.approx(math.log(classes), abs=1e-6)


def test_limits() -> None:
    """No smoothing and weights of 1 are -log p; smoothing of 1 forgets the target."""
    logits, target = torch.randn(30, 4, dtype=torch.float64), torch.randint(4, (30,))
    plain = -logits.log_softmax(-1).gather(-1, target[:, None])[:, 0]
    torch.testing.assert_close(CrossEntropy(label_smoothing=0.0, class_weights=(1.0,) * 4)(logits, target), plain)
    forgotten = CrossEntropy(label_smoothing=1.0)
    torch.testing.assert_close(forgotten(logits, target), forgotten(logits, (target + 1) % 4))


@pytest.mark.parametrize("weights", [(), WEIGHTS])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_agrees_with_pytorch(weights: tuple[float, ...], smoothing: float) -> None:
    """Values and gradients are those of PyTorch's own, weights and smoothing together."""
    logits = torch.randn(50, 4, dtype=torch.float64, requires_grad=True)
    target = torch.randint(4, (50,))
    weight = torch.tensor(weights, dtype=torch.float64) if weights else None
    ours = CrossEntropy(label_smoothing=smoothing, class_weights=weights)(logits, target)
    theirs = functional.cross_entropy(logits, target, weight=weight, label_smoothing=smoothing, reduction="none")
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    slopes = [torch.autograd.grad(values.sum(), logits)[0] for values in (ours, theirs)]
    torch.testing.assert_close(*slopes, rtol=1e-12, atol=1e-12)


def test_binary_agrees_with_pytorch() -> None:
    """Over one logit an outcome it is binary cross-entropy; class weights (1, 5) are a positive weight of 5."""
    logits = 5 * torch.randn(40, 3, dtype=torch.float64)
    target = torch.randint(2, (40, 3))
    for weights, positive in (((), None), ((1.0, 5.0), torch.tensor(5.0))):
        ours = CrossEntropy(class_weights=weights)(scores.binary(logits, target))
        theirs = functional.binary_cross_entropy_with_logits(logits, target.double(), pos_weight=positive, reduction="none")
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_agrees_with_scikit_learn() -> None:
    """Its mean is scikit-learn's log loss of the probabilities."""
    logits, target = torch.randn(60, 5, dtype=torch.float64), torch.arange(60) % 5
    want = log_loss(target.numpy(), logits.softmax(-1).numpy())
    assert CrossEntropy()(logits, target).mean().item() == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"label_smoothing": 1.01}, "label_smoothing is 1.01; wanted 0 to 1"),
        ({"label_smoothing": math.nan}, "label_smoothing is nan"),
        ({"class_weights": (1.0, -2.0)}, "class_weights are .*, -2.0.*; wanted finite numbers, none below 0"),
        ({"class_weights": (math.inf,)}, "class_weights are"),
    ],
)
def test_values_outside_the_domain(keys: dict[str, object], message: str) -> None:
    """Each is refused, with what was got and what was wanted."""
    with pytest.raises(UsageError, match=message):
        CrossEntropy(**keys)


def test_one_weight_a_class() -> None:
    """Another number of weights than classes is refused."""
    with pytest.raises(UsageError, match="class_weights: got 2 values for 3 classes"):
        CrossEntropy(class_weights=(1.0, 2.0))(torch.zeros(3), torch.tensor(0))
