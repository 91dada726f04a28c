"""Weights & Biases: a run of the project "lossworks" or ``WANDB_PROJECT``, offline unless ``WANDB_MODE`` says otherwise.

What is written offline, to ``wandb/`` in the run's directory, ``wandb sync`` sends.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import xxhash

from .base import Tracker

os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # which it looks at when it is imported


class WandB(Tracker):
    """A run there, whose id is that of this run, so one that is resumed goes on with it."""

    module: ClassVar[str] = "wandb"
    remedy: ClassVar[str] = "pip install 'lossworks[wandb]'"

    def open(self, settings: Mapping[str, Any], resumed: int | None) -> None:
        import wandb

        self._id = xxhash.xxh3_64_hexdigest(f"{self.run.resolve()} {self.about['created']}".encode())
        self._wandb = wandb
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "lossworks"),
            id=self._id,
            name=self.run.resolve().name,
            dir=str(self.run),
            config=dict(settings),
            mode=os.environ.get("WANDB_MODE", "offline"),
            resume="allow",
            reinit="create_new",
            settings=wandb.Settings(console="off", silent=True),
        )

    def add(self, numbers: Mapping[str, float], step: int) -> None:
        self._run.log(dict(numbers), step=step)

    def close(self, status: str, report: Path | None) -> None:
        try:
            if report is not None:
                artifact = self._wandb.Artifact(f"report-{self._id}", type="report")
                artifact.add_file(str(report))
                self._run.log_artifact(artifact)
        finally:
            self._run.finish(exit_code=int(status != "finished"))
