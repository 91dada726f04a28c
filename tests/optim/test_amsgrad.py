"""AMSGrad."""

from __future__ import annotations

import torch

# m is (0.05, -0.4), (0.095, -0.26); v is (0.125, 8), (0.1875, 4.5): of the second weight the first one counts on
HAND = {"amsgrad:lr=0.1,beta2=0.5": [(0.9, -1.9), (0.8, -1.9 + 0.1 * (0.26 / 0.19) / (8 / 0.75) ** 0.5)]}
REFERENCE = {
    "amsgrad:lr=0.02,beta1=0.8,beta2=0.7,eps=0.001": lambda p: torch.optim.Adam(
        p, lr=0.02, betas=(0.8, 0.7), eps=0.001, amsgrad=True
    ),
}
