"""For each registered loss: parameters off the beaten track, the formula to agree with, and what it breaks by design."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from losses.case import Case
from lossworks import losses


def _cross_entropy(loss: Any, p: Tensor, y: Tensor) -> Tensor:
    smoothed = (1 - loss.label_smoothing) * y + loss.label_smoothing / y.shape[-1]
    weight = p.new_tensor(loss.class_weights or (1.0,) * y.shape[-1])
    return -(smoothed * weight * p.log()).sum(-1)


def _squares(loss: Any, p: Tensor, y: Tensor) -> Tensor:
    weight = p.new_tensor(getattr(loss, "weights", ()) or (1.0,) * y.shape[-1])
    return (weight * (p - y) ** 2).sum(-1)


def _normal(loss: Any, prediction: Tensor, value: Tensor) -> Tensor:
    return -torch.distributions.Normal(prediction, loss.scale).log_prob(value)


_FORMULAS: dict[str, dict[str, Any]] = {
    "cross_entropy": {"formula": _cross_entropy},
    "log_likelihood": {"formula": lambda loss, p, y: -(p * y).sum(-1).log(), "number_formula": _normal},
    "mse": {"formula": _squares, "number_formula": lambda loss, prediction, value: (prediction - value) ** 2},
    "sparse_matrix": {"formula": _squares},
}

_SMOOTHED = {"finite_where_possible": "smoothing asks for some of every outcome, so an impossible one costs infinity"}
_UNIFORM = {"learns": "all of the target is smoothed away, so at uniform logits nothing is to be learnt"}

ODD: dict[str, dict[str, dict[str, str]]] = {
    "cross_entropy": {
        "label_smoothing=0.1": _SMOOTHED,
        "label_smoothing=1": _SMOOTHED | _UNIFORM,
        "class_weights=1/0/2.5/100": {},
        "class_weights=3/1": {},
        "label_smoothing=0.3,class_weights=1/0.5/4": _SMOOTHED,
        "label_smoothing=0.3,class_weights=2/0/0/0": _SMOOTHED,
    },
    "log_likelihood": {"scale=0.1": {}, "scale=30": {}},
    "mse": {},
    "sparse_matrix": {"weights=1/0/2.5/100": {}, "weights=0.01/0.01": {}},
}
"""Specs without the name ("" for the defaults) → the properties they are excused from, with the reasons.

A new loss adds its line here, with a value for each of its fields.
"""


def cases(name: str) -> dict[str, Case]:
    """The loss with its defaults and with each of its odd parameters, by spec."""
    odd = ODD.get(name, {})
    specs = {name: odd.get("", {})} | {f"{name}:{keys}": excused for keys, excused in odd.items() if keys}
    formulas = _FORMULAS.get(name, {})
    return {spec: Case(losses.build(spec), excused=excused, **formulas) for spec, excused in specs.items()}
