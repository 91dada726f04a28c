"""Adam."""

from __future__ import annotations

import math

import torch

# m is 0.05, 0.095 and -0.4, -0.26; v is 2.5e-4, 4.9975e-4 and 0.016, 0.016984
HAND = {"adam:lr=0.1": [(0.9, -1.9), (0.8, -1.9 + 0.1 * (0.26 / 0.19) / math.sqrt(0.016984 / 0.001999))]}
REFERENCE = {
    "adam:lr=0.02,beta1=0.8,beta2=0.95,eps=0.001": lambda p: torch.optim.Adam(p, lr=0.02, betas=(0.8, 0.95), eps=0.001),
    "adam:lr=0.02,weight_decay=0.3,coupled=true,decay_all=true": lambda p: torch.optim.Adam(p, lr=0.02, weight_decay=0.3),
}
