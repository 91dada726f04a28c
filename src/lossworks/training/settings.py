"""Everything that a fit can be told, in one dataclass: the flags of the command, the keys of a TOML file, the run's config."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from .. import losses, models, optim, penalties, risks, schedules
from ..core.errors import UnknownName, UsageError
from ..engine.reduction import check_risk

_SMALLEST_BATCH = 16

AUTO = "auto"
TASKS = ("auto", "classify", "multilabel", "regress")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to train and how. None leaves a choice to what suits the model and the data; ``resolved`` says which.

    risk: what is lowered of the losses of a step; the groups of one that compares groups are the classes.
    class_weight: "balanced", or one factor a class, "spam=5,ham=1"; multiplies the training loss of its examples.
    valid, test: shares of the rows held out where no files are given for them.
    patience: epochs without a better held-out score before training stops and the best weights are taken.
    epochs: passes over the training rows at most.
    optimizer: a spec, or from Python what makes a PyTorch optimiser of a list of parameters.
    lr: the optimiser's learning rate, over what its spec says; "auto": found by short runs on the data. Where no optimizer is
        given, the model's own is fitted to the batch size (``Optimizer.for_batches``).
    schedule: what the learning rate is multiplied with as training goes on.
    batch_size: rows a step; "auto": as many as suit the data, in the largest micro-batches that fit into memory.
    micro_batch: rows whose outputs stand in memory at once; several make a step, with the same result. "auto": as many as fit.
    clip: the norm that the gradient is cut to.
    ema: the decay of a moving average of the weights, which is then what is evaluated and saved.
    """

    task: str = "auto"
    model: str = "linear"
    loss: str | None = None
    optimizer: str | optim.Optimizer | Callable[..., Any] | None = None
    penalty: str | None = None
    risk: str = "mean"
    lr: float | str | None = None
    schedule: str = "constant"
    epochs: int | None = None
    batch_size: int | str | None = None
    micro_batch: int | str | None = None
    clip: float | None = None
    ema: float | None = None
    patience: int | None = None
    class_weight: str | None = None
    valid: float = 0.1
    test: float = 0.1
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise UnknownName("task", self.task, TASKS)
        for name in ("lr", "batch_size", "micro_batch"):
            if isinstance(value := getattr(self, name), str) and value != AUTO:
                raise UsageError(f"{name} is {value!r}; wanted a number, or {AUTO}.")
        for name in ("epochs", "batch_size", "micro_batch", "patience"):
            value = getattr(self, name)
            if not isinstance(value, str | None) and value < 1:
                raise UsageError(f"{name} is {value}; wanted 1 or more.")
        for name in ("valid", "test"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; wanted a share, 0 or more and below 1, or a file.")
        check_device(self.device)
        if self.loss:
            losses.build(self.loss)
        risks.build(self.risk)
        schedules.build(self.schedule).factor(0, schedules.Clock(1, 1.0))  # a length that nobody can tell here is told of now
        penalty = penalties.build(self.penalty) if self.penalty else None
        optimizer = optim.build(self.optimizer or models.build(self.model).optimizer)
        optim.check_together(optimizer, penalty, self.clip, self.ema)

    def resolved(self, task: str, rows: int) -> Settings:
        """Every choice made, for ``rows`` training rows; all specs in their shortest spelling."""
        model, risk = models.build(self.model), risks.build(self.risk)
        check_risk(risk, task, self.class_weight)
        optimizer = optim.build(self.optimizer or model.optimizer)
        full = optimizer.full_batch
        batch_size = rows if full else self.batch_size if isinstance(self.batch_size, int) else _batch_size(rows)
        measured = AUTO in (self.batch_size, self.micro_batch)
        if self.optimizer is None:  # the models' own are for the smallest batches
            optimizer = optimizer.for_batches(batch_size / _SMALLEST_BATCH)
        if isinstance(self.lr, float | int):
            optimizer = replace(optimizer, lr=float(self.lr))
        return replace(
            self,
            task=task,
            model=models.render(model),
            loss=losses.render(losses.build(self.loss or ("mse" if task == "regress" else "cross_entropy"))),
            optimizer=_spelled(optimizer),
            schedule=schedules.render(schedules.build(self.schedule)),
            penalty=penalties.render(penalties.build(self.penalty)) if self.penalty else None,
            risk=risks.render(risk),
            lr=AUTO if self.lr == AUTO else optimizer.lr,
            epochs=self.epochs or (500 if full else model.epochs),
            batch_size=batch_size,
            micro_batch=AUTO if measured else min(batch_size, int(self.micro_batch or model.micro_batch)),
            patience=self.patience or (20 if full else model.patience),
        )

    def with_lr(self, lr: float) -> Settings:
        """The same with the learning rate decided."""
        optimizer = replace(optim.build(self.optimizer or models.build(self.model).optimizer), lr=lr)
        return replace(self, lr=lr, optimizer=_spelled(optimizer))

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the run record."""
        given = self.optimizer
        spelled = given if isinstance(given, str | None) else optim.render(optim.build(given))
        return {**asdict(replace(self, optimizer=None)), "optimizer": spelled}


def _spelled(optimizer: optim.Optimizer) -> str | optim.Optimizer:
    """Its spec, where one can say what it is."""
    return optimizer if isinstance(optimizer, optim.Given) else optim.render(optimizer)


def check_device(name: str) -> None:
    """Raise UsageError where there is no device ``name``."""
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:  # the latter is how a build without CUDA says so
        reason = str(error).partition("\n")[0].rstrip(".")
        raise UsageError(f"device {name!r} cannot be used ({reason}). Wanted cpu, or cuda where there is one.") from None
    if torch.device(name).type == "meta":
        raise UsageError("device 'meta' holds no numbers to train. Wanted cpu, or cuda where there is one.")


def _batch_size(rows: int) -> int:
    """16 for a few thousand rows, up to 1,024 for many: 250 steps an epoch or more."""
    size = _SMALLEST_BATCH
    while size < 1024 and rows >= 250 * 2 * size:
        size *= 2
    return size
