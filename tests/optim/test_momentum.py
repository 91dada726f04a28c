"""The heavy ball."""

from __future__ import annotations

import torch

# v is (0.5, -4), then 0.9 v + (0.5, 1) = (0.95, -2.6)
HAND = {"momentum:lr=0.1": [(0.95, -1.6), (0.855, -1.34)]}
REFERENCE = {"momentum:lr=0.07,momentum=0.8": lambda p: torch.optim.SGD(p, lr=0.07, momentum=0.8)}
BAD = {"momentum": ("1", "-0.1"), "nesterov": ("2",)}
