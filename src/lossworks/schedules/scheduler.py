"""A schedule as PyTorch knows them, for anybody's own loop."""

from __future__ import annotations

from typing import Any

import torch

from .base import Schedule
from .length import Clock


class Scheduler(torch.optim.lr_scheduler.LRScheduler):
    """A schedule as PyTorch knows them. Tell ``observe`` each held-out score, for a schedule that follows them.

    States can be loaded in any order: whatever rates the optimizer's brings, this schedule's at its own step take their place.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, schedule: Schedule, clock: Clock) -> None:
        self.schedule, self.clock, self.scores = schedule, clock, list[float]()
        super().__init__(optimizer)
        optimizer.register_load_state_dict_post_hook(self._on_loaded)

    def observe(self, score: float) -> None:
        """Take note of a held-out score; lower is better."""
        self.scores.append(score)

    def get_lr(self) -> list[float | torch.Tensor]:
        """The rate of each parameter group."""
        factor = self.schedule.factor(self.last_epoch, self.clock, self.scores)
        return [rate * factor for rate in self.base_lrs]

    def state_dict(self) -> dict[str, object]:
        """Plain values; the schedule is the constructor's business."""
        return {"last_epoch": self.last_epoch, "scores": list(self.scores), "base_lrs": self.base_lrs, "_last_lr": self._last_lr}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from where ``state_dict`` was taken, the optimizer's rates with it."""
        super().load_state_dict({**state_dict, "scores": list(state_dict["scores"])})
        self._show()

    def _on_loaded(self, optimizer: torch.optim.Optimizer) -> None:
        for group in optimizer.param_groups:  # a state saved without a scheduler has the rates alone
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self._show()

    def _show(self) -> None:
        """Write the rates of the step that is next into the optimizer."""
        self._last_lr = self.get_lr()
        for group, rate in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = rate
