"""NAdam."""

from __future__ import annotations

import math

import torch

# With momentum_decay = 0 the momentum is 0.45 throughout. m is 0.1 g, then (0.095, -0.26); v/(1-β₂ᵗ) is g², then
# (0.25, 0.016984/0.001999). The share of g is (1 - 0.45)/(1 - 0.45ᵗ), that of m is 0.45/(1 - 0.45ᵗ⁺¹).
FIRST = 1 + 0.1 * 0.45 / (1 - 0.45**2)
G, M = 0.55 / (1 - 0.45**2), 0.45 / (1 - 0.45**3)
HAND = {
    "nadam:lr=0.1,momentum_decay=0": [
        (1 - 0.1 * FIRST, -2 + 0.1 * FIRST),
        (
            1 - 0.1 * FIRST - 0.1 * (0.5 * G + 0.095 * M) / 0.5,
            -2 + 0.1 * FIRST - 0.1 * (1.0 * G - 0.26 * M) / math.sqrt(0.016984 / 0.001999),
        ),
    ]
}
REFERENCE = {
    "nadam:lr=0.02,beta1=0.8,beta2=0.9,eps=0.001,momentum_decay=0.3": lambda p: torch.optim.NAdam(
        p, lr=0.02, betas=(0.8, 0.9), eps=0.001, momentum_decay=0.3
    ),
    "nadam:lr=0.02,weight_decay=0.3,decay_all=true": lambda p: torch.optim.NAdam(
        p, lr=0.02, weight_decay=0.3, decoupled_weight_decay=True
    ),
}
BAD = {"momentum_decay": ("-1", "nan", "inf")}
