"""Binary cross-entropy against numbers worked by hand and PyTorch."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from losses.case import gradient
from lossworks import losses, scores
from lossworks.core.errors import UsageError
from lossworks.losses import BinaryCrossEntropy, CrossEntropy


def formula(loss: BinaryCrossEntropy, p: Tensor, y: Tensor) -> Tensor:
    """On both probabilities."""
    return -y[:, 0] * p[:, 0].log() - loss.positive_weight * y[:, 1] * p[:, 1].log()


_SIDES = {"class_order": "what is weighs differently from what is not"}
ODD: dict[str, dict[str, str]] = {"positive_weight=3": _SIDES, "positive_weight=0.01": _SIDES}


def test_by_hand() -> None:
    """A probability of 3/4 that it is: log 4/3 where it is, log 4 where it is not."""
    logits, target = torch.full((2,), math.log(3), dtype=torch.float64), torch.tensor([1, 0])
    assert BinaryCrossEntropy()(scores.binary(logits, target)).tolist() == pytest.approx([math.log(4 / 3), math.log(4)])
    weighed = BinaryCrossEntropy(positive_weight=5.0)(scores.binary(logits, target)).tolist()
    assert weighed == pytest.approx([5 * math.log(4 / 3), math.log(4)])


def test_limit_is_cross_entropy() -> None:
    """With weight 1 it is cross-entropy over two outcomes, and with weight w that with class weights 1 and w."""
    view = scores.binary(torch.randn(30, dtype=torch.float64), torch.randint(2, (30,)))
    torch.testing.assert_close(BinaryCrossEntropy()(view), CrossEntropy()(view))
    torch.testing.assert_close(BinaryCrossEntropy(positive_weight=4.0)(view), CrossEntropy(class_weights=(1.0, 4.0))(view))


@pytest.mark.parametrize("weight", [1.0, 0.2, (0.5, 3.0, 10.0)])
def test_agrees_with_pytorch(weight: tuple[float, ...] | float) -> None:
    """Values and gradients are those of PyTorch's own, with one weight and with one a label."""
    logits = (5 * torch.randn(40, 3, dtype=torch.float64)).requires_grad_()
    target = torch.randint(2, (40, 3))
    ours = BinaryCrossEntropy(positive_weight=weight)(scores.binary(logits, target))
    theirs = binary_cross_entropy_with_logits(
        logits, target.double(), pos_weight=torch.tensor(weight, dtype=torch.float64), reduction="none"
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(gradient(ours, logits), gradient(theirs, logits), rtol=1e-12, atol=1e-12)


def test_spelled_as_text() -> None:
    """One weight and one a label are spelled alike, and come back as they were."""
    assert losses.build("binary_cross_entropy:positive_weight=3") == BinaryCrossEntropy(positive_weight=3.0)
    for loss in (BinaryCrossEntropy(positive_weight=3.0), BinaryCrossEntropy(positive_weight=(1.0, 2.5))):
        assert losses.build(losses.render(loss)) == loss


@pytest.mark.parametrize("weight", [0.0, -1.0, math.nan, math.inf, (1.0, -1.0), ()])
def test_weight_outside_the_domain(weight: tuple[float, ...] | float) -> None:
    """Weights are finite and above 0."""
    with pytest.raises(UsageError, match=r"positive_weight is .*; wanted finite numbers, more than 0"):
        BinaryCrossEntropy(positive_weight=weight)


def test_one_weight_a_label() -> None:
    """Another number of weights than labels is refused."""
    view = scores.binary(torch.zeros(4, 3), torch.zeros(4, 3, dtype=torch.int64))
    with pytest.raises(UsageError, match=r"positive_weight: got 2 values for 3 labels. Give one, or one a label"):
        BinaryCrossEntropy(positive_weight=(1.0, 2.0))(view)
    with pytest.raises(UsageError, match="is for two outcomes, got 3"):
        BinaryCrossEntropy()(torch.zeros(3), torch.tensor(0))
