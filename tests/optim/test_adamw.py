"""AdamW."""

from __future__ import annotations

import math

import torch

HAND = {
    "adamw:lr=0.1,weight_decay=0.5": [
        (0.85, -1.8),
        (0.85 * 0.95 - 0.1, -1.8 * 0.95 + 0.1 * (0.26 / 0.19) / math.sqrt(0.016984 / 0.001999)),
    ]
}
REFERENCE = {
    "adamw:lr=0.02,beta1=0.8,beta2=0.95,eps=0.001,weight_decay=0.3": lambda p: torch.optim.AdamW(
        [{"params": p[:1], "weight_decay": 0.3}, {"params": p[1:], "weight_decay": 0.0}],
        lr=0.02,
        betas=(0.8, 0.95),
        eps=0.001,
    )
}
