"""How a network over tokens is trained: what is told, and what was agreed on before the first step."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.errors import UsageError
from ..optim import Optimizer
from ..schedules import Schedule

OPTIMIZER = "adam"
"""Where nothing is said, and the family has none of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """A training by gradients.

    loss: over outcomes alone. optimizer, schedule: a spec, or one made already.
    epochs: passes over the texts at most. steps: updates at most, which the schedule then plans for; None: those of the epochs.
    seconds: that training should take: after each score the steps are planned anew, by how long those so far took.
    judged: how often in all of training the held-out texts are scored, evenly spread; None: after each epoch.
    judged_tokens: how many held-out tokens are scored each time, drawn by lot; None: all.
    patience: such scores without a better one before training ends.
    batch_tokens: tokens a step, with their padding. window: longer texts are cut into rows of so many tokens.
    pack: rows of ``window`` tokens of several texts, none of which sees another; else texts of about one length make a step.
    clip: the norm that gradients are cut to. ema: decay of a moving average of the weights, which is then judged and kept.
    """

    loss: str = "cross_entropy"
    optimizer: str | Optimizer = OPTIMIZER
    schedule: str | Schedule = "constant"
    epochs: int = 10
    steps: int | None = None
    seconds: float | None = None
    judged: int | None = None
    judged_tokens: int | None = None
    patience: int = 3
    batch_tokens: int = 4096
    window: int = 256
    pack: bool = False
    clip: float | None = None
    ema: float | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "steps", "judged", "judged_tokens", "patience", "batch_tokens", "window"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} is {value}; wanted 1 or more.")
