"""Everything that a fit can be told, in one dataclass: the flags of the command, the keys of a TOML file, the run's config."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from .. import losses, models, optim, penalties, risks
from ..core import specs
from ..core.errors import DataError, UnknownName, UsageError
from .reduction import check_risk

_SMALLEST_BATCH = 16

TASKS = ("auto", "classify", "multilabel", "regress")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to train and how. None leaves a choice to what suits the model and the data; ``resolved`` says which.

    risk: what is lowered of the losses of a step; the groups of one that compares groups are the classes.
    class_weight: "balanced", or one factor a class, "spam=5,ham=1"; multiplies the training loss of its examples.
    valid, test: shares of the rows held out where no files are given for them.
    patience: epochs without a better held-out score before training stops and the best weights are taken.
    epochs: passes over the training rows at most.
    lr: the optimiser's learning rate, over what its spec says. Where no optimizer is given, the model's own is fitted to the
        batch size (``Optimizer.for_batches``).
    """

    task: str = "auto"
    model: str = "linear"
    loss: str | None = None
    optimizer: str | None = None
    penalty: str | None = None
    risk: str = "mean"
    lr: float | None = None
    epochs: int | None = None
    batch_size: int | None = None
    patience: int | None = None
    class_weight: str | None = None
    valid: float = 0.1
    test: float = 0.1
    seed: int = 0
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise UnknownName("task", self.task, TASKS)
        for name in ("epochs", "batch_size", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} is {value}; wanted 1 or more.")
        for name in ("valid", "test"):
            if not 0 <= getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; wanted a share, 0 or more and below 1, or a file.")
        check_device(self.device)
        models.build(self.model), self.loss and losses.build(self.loss), self.penalty and penalties.build(self.penalty)
        risks.build(self.risk)
        optim.build(self.optimizer or models.build(self.model).optimizer)

    @classmethod
    def from_toml(cls, path: Path) -> Settings:
        """The settings that a TOML file spells; a key that is not known is an error.

        Raises:
            DataError: no such file, or not TOML.
            UsageError: an unknown key or a value that does not fit.
        """
        try:
            values = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise DataError(f"{path} is not TOML: {error}.") from None
        return specs.configure(cls, values, f"configuration {path}")

    def resolved(self, task: str, rows: int) -> Settings:
        """Every choice made, for ``rows`` training rows; all specs in their shortest spelling."""
        model, risk = models.build(self.model), risks.build(self.risk)
        check_risk(risk, task, self.class_weight)
        optimizer = optim.build(self.optimizer or model.optimizer)
        full = optimizer.full_batch
        batch_size = rows if full else self.batch_size or _batch_size(rows)
        if self.optimizer is None:  # the models' own are for the smallest batches
            optimizer = optimizer.for_batches(batch_size / _SMALLEST_BATCH)
        if self.lr is not None:
            optimizer = replace(optimizer, lr=self.lr)
        return replace(
            self,
            task=task,
            model=models.render(model),
            loss=losses.render(losses.build(self.loss or ("mse" if task == "regress" else "cross_entropy"))),
            optimizer=optim.render(optimizer),
            penalty=penalties.render(penalties.build(self.penalty)) if self.penalty else None,
            risk=risks.render(risk),
            lr=optimizer.lr,
            epochs=self.epochs or (500 if full else model.epochs),
            batch_size=batch_size,
            patience=self.patience or (20 if full else model.patience),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the run record."""
        return asdict(self)


def check_device(name: str) -> None:
    """Raise UsageError where there is no device ``name``."""
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:  # the latter is how a build without CUDA says so
        reason = str(error).partition("\n")[0].rstrip(".")
        raise UsageError(f"device {name!r} cannot be used ({reason}). Wanted cpu, or cuda where there is one.") from None


def _batch_size(rows: int) -> int:
    """16 for a few thousand rows, up to 1,024 for many: 250 steps an epoch or more."""
    size = _SMALLEST_BATCH
    while size < 1024 and rows >= 250 * 2 * size:
        size *= 2
    return size
