"""RMSProp."""

from __future__ import annotations

import math

import torch

HAND = {
    "rmsprop:lr=0.1,alpha=0.75": [(0.8, -1.8), (0.8 - 0.05 / math.sqrt(0.109375), -1.8 - 0.1 / math.sqrt(3.25))],
}
REFERENCE = {"rmsprop:lr=0.01,alpha=0.8,eps=0.001": lambda p: torch.optim.RMSprop(p, lr=0.01, alpha=0.8, eps=0.001)}
BAD = {"alpha": ("1", "-0.1")}
