"""Gradient descent on batches."""

from __future__ import annotations

import torch

HAND = {"sgd:lr=0.1": [(0.95, -1.6), (0.90, -1.7)]}
REFERENCE = {
    "sgd:lr=0.07": lambda p: torch.optim.SGD(p, lr=0.07),
}
BAD = {"momentum": ("1", "-0.1"), "nesterov": ("2", "true")}  # looking ahead takes a momentum
