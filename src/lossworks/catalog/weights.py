"""Curves of penalties, against a weight, and of risks, against the losses they combine."""

from __future__ import annotations

import torch

from ..penalties import Penalty
from ..penalties import render as penalty_spec
from ..risks import Risk, risks
from ..risks import render as risk_spec
from .curve import Curve, panel, slopes

SHARE = 0.5  # strength · time of the flow that is shown
STEPS = 100  # steps after which a risk that remembers is looked at
_WEIGHTS = torch.linspace(-2, 2, 161, dtype=torch.float64)
_LOSSES = torch.arange(1, 11, dtype=torch.float64)


def weight(penalty: Penalty) -> Curve:
    """What a weight costs, and where the penalty's flow takes it in a while, beside a weight that is left alone."""
    strength = getattr(penalty, "strength", 0.0)
    time = SHARE / strength if strength > 0 else 1.0
    each = _WEIGHTS.unsqueeze(-1)
    name = penalty_spec(penalty)
    return Curve(
        caption=f"One weight, alone in its row; the flow has run for a time of {time:g}: so many steps of learning rate 1.",
        x_name="weight w",
        x=tuple(_WEIGHTS.tolist()),
        panels=(
            panel("value", (name, torch.stack([penalty.value(one.unsqueeze(0)) for one in each]))),
            panel("w after its flow", (name, penalty.prox(each, time).squeeze(-1)), ("no penalty", _WEIGHTS)),
        ),
    )


def share(risk: Risk) -> Curve:
    """What each of ten sorted losses weighs: the gradient of the risk into them, beside that of the mean."""
    groups = torch.arange(10) // 2 if risk.grouped else None
    state = risk.start(5)
    remembers = bool(len(state))
    for _ in range(STEPS - 1 if remembers else 0):
        state = risk.combine(_LOSSES, torch.ones(10), groups, state)[1]
    own = slopes(lambda values: risk.combine(values, torch.ones(10), groups, state)[0], _LOSSES)[1]
    plain = risks["mean"].thing()
    mean = slopes(lambda values: plain.combine(values, torch.ones(10))[0], _LOSSES)[1]
    caption = "Ten positions of equal weight with the losses 1 to 10" + (
        ", in five groups of two neighbours" if risk.grouped else ""
    )
    caption += f"; after {STEPS} steps with these losses." if remembers else "."
    beside = None if risk == plain else (risk_spec(plain), mean)
    shares = panel("weight in the gradient", (risk_spec(risk), own), beside, bars=True)
    return Curve(caption=caption, x_name="loss of the position", x=tuple(_LOSSES.tolist()), panels=(shares,))
