"""Curves of penalties, by weight, and of risks, by the losses they combine."""

from __future__ import annotations

import torch

from ..penalties import Penalty
from ..penalties import render as penalty_spec
from ..risks import Risk, risks
from ..risks import render as risk_spec
from .curve import Curve, panel, value_and_grad

SHARE = 0.5  # strength times the time of the gradient flow shown
STEPS = 100  # steps after which a stateful risk is shown
_WEIGHTS = torch.linspace(-2, 2, 161, dtype=torch.float64)
_LOSSES = torch.arange(1, 11, dtype=torch.float64)


def weight(penalty: Penalty) -> Curve:
    """The value of a penalty, and the weight after its gradient flow, with an unpenalized weight."""
    time = SHARE / penalty.strength if penalty.strength else 1.0
    each = _WEIGHTS.unsqueeze(-1)
    name = penalty_spec(penalty)
    return Curve(
        caption=f"One weight, alone in its row, after a gradient flow of time {time:g} (that many steps of learning rate 1).",
        x_name="weight w",
        x=tuple(_WEIGHTS.tolist()),
        panels=(
            panel("value", (name, torch.stack([penalty.value(one.unsqueeze(0)) for one in each]))),
            panel("w after the flow", (name, penalty.prox(each, time).squeeze(-1)), ("no penalty", _WEIGHTS)),
        ),
    )


def share(risk: Risk) -> Curve:
    """The weight of each of ten sorted losses: the gradient of the risk w.r.t. them, with that of the mean."""
    groups = torch.arange(10) // 2 if risk.grouped else None
    state = risk.start(5)
    stateful = bool(len(state))
    for _ in range(STEPS - 1 if stateful else 0):
        state = risk.combine(_LOSSES, torch.ones(10), groups, state)[1]
    own = value_and_grad(lambda values: risk.combine(values, torch.ones(10), groups, state)[0], _LOSSES)[1]
    plain = risks["mean"].thing()
    mean = value_and_grad(lambda values: plain.combine(values, torch.ones(10))[0], _LOSSES)[1]
    caption = "Ten positions of equal weight with losses 1 to 10" + (", in five groups of two neighbours" if risk.grouped else "")
    caption += f"; after {STEPS} steps with these losses." if stateful else "."
    reference = None if risk == plain else (risk_spec(plain), mean)
    shares = panel("weight in the gradient", (risk_spec(risk), own), reference, bars=True)
    return Curve(caption=caption, x_name="loss of the position", x=tuple(_LOSSES.tolist()), panels=(shares,))
