"""Adadelta."""

from __future__ import annotations

import math

import torch


def walk(rho: float, eps: float, slopes: tuple[float, float], start: float) -> list[float]:
    """Two steps of one weight, spelled out."""
    v = (1 - rho) * slopes[0] ** 2
    first = slopes[0] * math.sqrt(eps) / math.sqrt(v + eps)
    d, v = (1 - rho) * first**2, rho * v + (1 - rho) * slopes[1] ** 2
    second = slopes[1] * math.sqrt(d + eps) / math.sqrt(v + eps)
    return [start - first, start - first - second]


HAND = {"adadelta:lr=1": list(zip(walk(0.95, 1e-6, (0.5, 0.5), 1.0), walk(0.95, 1e-6, (-4.0, 1.0), -2.0), strict=True))}
REFERENCE = {
    "adadelta:lr=0.7,rho=0.8,eps=0.001": lambda p: torch.optim.Adadelta(p, lr=0.7, rho=0.8, eps=0.001),
    "adadelta:lr=1,weight_decay=0.3,coupled=true,decay_all=true": lambda p: torch.optim.Adadelta(p, rho=0.95, weight_decay=0.3),
}
BAD = {"rho": ("1", "-0.1")}
RATES = (1.0, 10.0, 100.0)
