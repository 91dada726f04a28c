"""The Tversky loss against numbers worked by hand and scikit-learn's overlap scores."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.metrics import f1_score, fbeta_score, jaccard_score
from torch import Tensor

from lossworks import scores
from lossworks.core.errors import UsageError
from lossworks.losses import Tversky


def formula(loss: Tversky, p: Tensor, y: Tensor) -> Tensor:
    """As the paper has it; all N positions are the labels of one example."""
    p, y = p[:, 1], y[:, 1]
    both, only_predicted, only_true = (p * y).sum(), (p * (1 - y)).sum(), ((1 - p) * y).sum()
    index = (both + loss.smooth) / (both + loss.alpha * only_predicted + loss.beta * only_true + loss.smooth)
    return (1 - index).expand(len(p))


_ONE_EXAMPLE = "the labels of an example, its last axis, make up one value"
_TOGETHER = dict.fromkeys(("any_shape", "locality", "transforms", "micro_batches"), _ONE_EXAMPLE)
_TOGETHER |= {"class_order": "what is and what is not are treated apart"}
ODD: dict[str, dict[str, str]] = {
    "": _TOGETHER,
    "alpha=0.3,beta=0.7": _TOGETHER,
    "alpha=1,beta=1,smooth=1e-3": _TOGETHER,
    "alpha=0,smooth=20": _TOGETHER,
}


def test_by_hand() -> None:
    """Three labels at probability 3/4, two of them true: both 3/2, only predicted 3/4, only true 1/2."""
    view = scores.binary(torch.full((3,), math.log(3), dtype=torch.float64), torch.tensor([1, 1, 0]))
    value = Tversky(alpha=0.2, beta=0.6, smooth=1.0)(view)
    assert value.tolist() == pytest.approx([1 - 2.5 / (1.5 + 0.15 + 0.3 + 1)] * 3)


def test_agrees_with_scikit_learn_on_decisions() -> None:
    """Sure predictions give 1 minus Dice's (F1), Jaccard's or F-beta's score of each example, up to the smoothing."""
    decided, true = torch.randint(2, (20, 9)), torch.randint(2, (20, 9))
    decided[:, 0] = true[:, 0] = 1
    view = scores.binary((2.0 * decided - 1).double() * 1e3, true)
    for loss, score in (
        (Tversky(smooth=1e-12), lambda t, d: f1_score(t, d)),
        (Tversky(alpha=1.0, beta=1.0, smooth=1e-12), lambda t, d: jaccard_score(t, d)),
        (Tversky(alpha=0.2, beta=0.8, smooth=1e-12), lambda t, d: fbeta_score(t, d, beta=2)),
    ):
        want = [1 - score(t, d) for t, d in zip(true.numpy(), decided.numpy(), strict=True)]
        assert loss(view).mean(-1).tolist() == pytest.approx(want, abs=1e-10)


def test_examples_stand_alone_and_labels_have_no_order() -> None:
    """Any leading axes; the value of one example is that of its labels alone, in any order."""
    logits, target = torch.randn(2, 4, 5, dtype=torch.float64), torch.randint(2, (2, 4, 5))
    values = Tversky()(scores.binary(logits, target))
    assert values.shape == (2, 4, 5)
    for i, j in ((0, 0), (1, 3)):
        torch.testing.assert_close(values[i, j], Tversky()(scores.binary(logits[i, j], target[i, j])))
    order = torch.tensor([3, 1, 4, 0, 2])
    torch.testing.assert_close(Tversky()(scores.binary(logits[..., order], target[..., order])), values)


def test_no_labels_and_none_predicted_costs_nothing() -> None:
    """Sure and right is 0, with and without labels; sure and all wrong is nearly 1 when the smoothing is small."""
    sure = torch.tensor([[-1e4] * 3, [1e4] * 3, [1e4, -1e4, -1e4]])
    right, wrong = (sure > 0).long(), (sure <= 0).long()
    assert Tversky()(scores.binary(sure, right)).unique().tolist() == [0.0]
    assert Tversky(smooth=1e-9)(scores.binary(sure, wrong)).unique().tolist() == pytest.approx([1.0])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"alpha": -0.1}, "alpha is -0.1, beta 0.5; wanted finite numbers, none below 0 and not both 0"),
        ({"alpha": 0.0, "beta": 0.0}, "alpha is 0.0, beta 0.0"),
        ({"beta": math.inf}, "alpha is 0.5, beta inf"),
        ({"smooth": 0.0}, "smooth is 0.0; wanted a finite number above 0"),
    ],
)
def test_values_outside_the_domain(keys: dict[str, float], message: str) -> None:
    """Each is refused, with what was got and what was wanted."""
    with pytest.raises(UsageError, match=message):
        Tversky(**keys)
