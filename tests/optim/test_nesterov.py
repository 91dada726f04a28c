"""Momentum that looks ahead."""

from __future__ import annotations

import torch

# v is (0.5, -4), then (0.95, -2.6); the step is along g + 0.9 v: (0.95, -7.6), then (1.355, -1.34)
HAND = {"nesterov:lr=0.1": [(0.905, -1.24), (0.7695, -1.106)]}
REFERENCE = {"nesterov:lr=0.07,momentum=0.8": lambda p: torch.optim.SGD(p, lr=0.07, momentum=0.8, nesterov=True)}
BAD = {"momentum": ("1", "-0.1"), "nesterov": ("2",)}
