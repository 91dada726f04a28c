"""How a network over tokens is trained."""

from __future__ import annotations

from dataclasses import dataclass

from ..core import values
from ..optim import Optimizer
from ..schedules import Schedule

OPTIMIZER = "adam"
"""Where nothing is said, and the family has none of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """The hyperparameters of a training over tokens.

    loss: over outcomes alone. risk: what is made of those of a step; its groups are languages.
    optimizer, schedule: a spec, or one made already.
    epochs: passes over the texts at most. steps: updates at most, which the schedule then plans for; None: those of the epochs.
    seconds: that training should take: after each score the steps left are planned again, by how long those so far took.
    evals: how often in all of training the held-out texts are scored, evenly spread; None: after each epoch.
    eval_tokens: how many held-out tokens are scored each time, drawn at random; None: all.
    patience: such scores without a better one before training ends.
    stop_by: "accuracy" of the next token, by which such scores are compared; None, or another: nats a token.
    batch_tokens: tokens a step, with their padding. window: longer texts are cut into rows of so many tokens.
    pack: rows of ``window`` tokens of several texts, none of which sees another; else texts of about one length make a step.
    clip: the norm that gradients are cut to. ema: decay of a moving average of the weights, which is then judged and kept.
    """

    loss: str = "cross_entropy"
    risk: str = "mean"
    optimizer: str | Optimizer = OPTIMIZER
    schedule: str | Schedule = "constant"
    epochs: int = 10
    steps: int | None = None
    seconds: float | None = None
    evals: int | None = None
    eval_tokens: int | None = None
    patience: int = 3
    stop_by: str | None = None
    batch_tokens: int = 4096
    window: int = 256
    pack: bool = False
    clip: float | None = None
    ema: float | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "steps", "evals", "eval_tokens", "patience", "batch_tokens", "window"):
            values.whole(name, getattr(self, name), least=1)
