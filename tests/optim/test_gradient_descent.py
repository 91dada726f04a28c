"""Gradient descent on all examples."""

from __future__ import annotations

import torch

HAND = {"gradient_descent:lr=0.1": [(0.95, -1.6), (0.90, -1.7)]}
REFERENCE = {"gradient_descent:lr=0.07": lambda p: torch.optim.SGD(p, lr=0.07)}
