"""Adamax."""

from __future__ import annotations

import torch

# m is (0.05, -0.4), (0.095, -0.26); u is (0.5, 4), (0.5, 3.996), where 0.999 · 0.5 is less than the slope
HAND = {"adamax:lr=0.1": [(0.9, -1.9), (0.8, -1.9 + 0.1 * (0.26 / 0.19) / 3.996)]}
REFERENCE = {
    "adamax:lr=0.02,beta1=0.8,beta2=0.7,eps=0.001": lambda p: torch.optim.Adamax(p, lr=0.02, betas=(0.8, 0.7), eps=0.001),
    "adamax:lr=0.02,weight_decay=0.3,coupled=true,decay_all=true": lambda p: torch.optim.Adamax(p, lr=0.02, weight_decay=0.3),
}
