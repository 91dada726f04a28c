"""RMSProp."""

from __future__ import annotations

import math

import torch

from lossworks.optim import build
from optim import battery

HAND = {
    "rmsprop:lr=0.1,alpha=0.75": [(0.8, -1.8), (0.8 - 0.05 / math.sqrt(0.109375), -1.8 - 0.1 / math.sqrt(3.25))],
}
REFERENCE = {"rmsprop:lr=0.01,alpha=0.8,eps=0.001": lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.8, eps=0.001)}
BAD = {"alpha": ("1", "-0.1")}


def test_coupled_decay() -> None:
    """As PyTorch adds it to the gradient."""
    reference = lambda p: torch.optim.RMSprop(p, lr=0.01, weight_decay=0.3)  # noqa: E731
    battery.check_trajectory(build("rmsprop:lr=0.01,weight_decay=0.3,coupled=true,decay_all=true"), reference)
