"""AdEMAMix."""

from __future__ import annotations

import math

import pytest

from lossworks.optim import build
from lossworks.optim.rules.ademamix import _mixture
from optim.recorded import follow

# Adam's m̂ and v̂ (test_adam.py), and the slow average 0.005, 0.00995 and -0.04, -0.0296, twice over
_ROOT = math.sqrt(0.016984 / 0.001999)
# Half a warm-up: alpha is 1, and what the slow average keeps has a half-life between those of 0.5 and 0.75
_KEPT = math.exp(2 / (1 / math.log(0.5) + 1 / math.log(0.75)))
_STEP = 0.1 * (2 - _KEPT)
HAND = {
    "ademamix:lr=0.1,beta3=0.99,alpha=2": [
        (1 - 0.102, -2 + 0.102),
        (1 - 0.102 - 0.10398, -2 + 0.102 + 0.1 * (0.26 / 0.19 + 0.0592) / _ROOT),
    ],
    "ademamix:lr=0.1,beta1=0.5,beta3=0.75,alpha=2,warmup_alpha=2,warmup_beta3=2": [
        (1 - _STEP, -2 + _STEP),
        (
            1 - _STEP - 0.1 * (1 + 2 * (0.75 * (1 - _KEPT) + 0.25)),
            -2 + _STEP + 0.1 * (0.5 / 0.75 + 2 * (0.75 * (1 - _KEPT) * 4 - 0.25)) / _ROOT,
        ),
    ],
}
BAD = {"beta3": ("1", "-0.1"), "alpha": ("-1", "nan", "inf"), "warmup_alpha": ("-1",), "warmup_beta3": ("-1",)}


def test_trajectory() -> None:
    """The way of pytorch-optimizer, with warm-up and without."""
    follow("ademamix")


def test_warm_up() -> None:
    """Half-lives grow in a line, from that of beta1 to that of beta3, and alpha from 0."""
    group = build("ademamix:warmup_alpha=10,warmup_beta3=100").torch([{"params": []}]).defaults
    lives = [math.log(0.5) / math.log(_mixture(group, step)[1]) for step in (25, 50, 75, 100, 1000)]
    first, last = (math.log(0.5) / math.log(beta) for beta in (0.9, 0.9999))
    assert lives == pytest.approx([first + (last - first) * done for done in (0.25, 0.5, 0.75, 1, 1)], rel=1e-9)
    assert [_mixture(group, step)[0] for step in (1, 5, 10, 11)] == pytest.approx([0.5, 2.5, 5, 5])
