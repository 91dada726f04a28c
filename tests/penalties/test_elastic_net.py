"""The elastic net against numbers worked by hand, its limits, and scikit-learn's optimum."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import ElasticNet as Reference

from lossworks import penalties
from lossworks.core.errors import UsageError
from lossworks.penalties.elastic_net import ElasticNet
from lossworks.penalties.l1 import L1
from lossworks.penalties.l2 import L2

WEIGHT = torch.tensor([[3.0, -4.0, 0.25], [0.0, -0.5, 1.0]], dtype=torch.float64)


def test_value_by_hand() -> None:
    """2 · (¼ · 8.75 + ¾ · 26.3125 / 2)."""
    assert ElasticNet(strength=2.0, l1_ratio=0.25).value(WEIGHT).item() == 24.109375


def test_flow_by_hand() -> None:
    """With a = b = 1 and time log 2: half of |w|, less a half; what was at most 1 is exactly 0."""
    flowed = ElasticNet(strength=2.0).prox(WEIGHT, math.log(2))
    torch.testing.assert_close(flowed, torch.tensor([[1.0, -1.5, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64))
    assert (flowed[1] == 0).all()


@pytest.mark.parametrize("time", [0.0, 1e-9, 0.3, 4.0, 1e30])
def test_limits(time: float) -> None:
    """At the ends of l1_ratio it is L1 and L2, and near them it is near."""
    for ratio, limit in ((1.0, L1(strength=0.4)), (0.0, L2(strength=0.4))):
        exact = ElasticNet(strength=0.4, l1_ratio=ratio)
        torch.testing.assert_close(exact.prox(WEIGHT, time), limit.prox(WEIGHT, time), rtol=1e-15, atol=0)
        assert exact.value(WEIGHT) == limit.value(WEIGHT)
        almost = ElasticNet(strength=0.4, l1_ratio=abs(ratio - 1e-9))
        torch.testing.assert_close(almost.prox(WEIGHT, time), limit.prox(WEIGHT, time), rtol=1e-6, atol=1e-6)


def test_optimum_is_scikit_learns() -> None:
    """Steps on squared errors and flows in turn end at scikit-learn's coefficients, with zeros in the same places."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(60, 8))
    target = inputs[:, :3] @ np.array([2.0, -1.0, 0.5]) + rng.normal(size=60)
    wanted = Reference(alpha=0.3, l1_ratio=0.6, fit_intercept=False, tol=1e-12).fit(inputs, target).coef_
    x, y = torch.from_numpy(inputs), torch.from_numpy(target)
    weight, penalty = torch.zeros(8, 1, dtype=torch.float64), ElasticNet(strength=0.3, l1_ratio=0.6)
    for rate in (0.1, 0.01, 1e-3):
        for _ in range(int(20 / rate)):
            weight = penalty.prox(weight - rate / 60 * x.T @ (x @ weight - y[:, None]), rate)
    np.testing.assert_allclose(weight[:, 0], wanted, atol=2e-4)
    assert 0 < (wanted == 0).sum() < 8
    assert np.array_equal(weight[:, 0] == 0, wanted == 0)


@pytest.mark.parametrize("ratio", [-0.1, 1.1, math.nan])
def test_ratio_outside_the_domain(ratio: float) -> None:
    """A ratio is 0 to 1; the message says what it got."""
    with pytest.raises(UsageError, match=f"penalty 'elastic_net': l1_ratio is {ratio}; wanted 0 to 1"):
        penalties.build(f"elastic_net:l1_ratio={ratio}")
