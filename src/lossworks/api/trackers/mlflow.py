"""MLflow: a run of the experiment "lossworks" or ``MLFLOW_EXPERIMENT_NAME``, in a database in the run's ``mlflow/``, or where
``MLFLOW_TRACKING_URI`` says.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from .base import Tracker

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # which it looks at when it is imported
_LONGEST = 6000  # characters of a parameter's value
_CREATED = "lossworks.created"


class MLflow(Tracker):
    """A run there, by a client of its own: what the process tracks besides is left alone."""

    module: ClassVar[str] = "mlflow"
    remedy: ClassVar[str] = "pip install 'lossworks[mlflow]'"

    def open(self, settings: Mapping[str, Any], resumed: int | None) -> None:
        from mlflow.entities import Metric, Param
        from mlflow.tracking import MlflowClient

        self._metric = Metric
        folder, elsewhere = (self.run / "mlflow").resolve(), os.environ.get("MLFLOW_TRACKING_URI")
        if not elsewhere:
            folder.mkdir(exist_ok=True)
        self._client = MlflowClient(elsewhere or f"sqlite:///{folder / 'mlflow.db'}")
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "lossworks")
        files = None if elsewhere else (folder / "artifacts").as_uri()
        known = self._client.get_experiment_by_name(name)
        experiment = self._client.create_experiment(name, artifact_location=files) if known is None else known.experiment_id
        if resumed is not None and (found := self._client.search_runs([experiment], f"tags.`{_CREATED}` = '{self._created}'")):
            self._id = found[0].info.run_id
            self._client.set_terminated(self._id, "RUNNING")
            return
        tags = {_CREATED: self._created, "mlflow.source.name": str(self.about["command"])}
        self._id = self._client.create_run(experiment, tags=tags, run_name=self.run.resolve().name).info.run_id
        self._client.log_batch(self._id, params=[Param(name, str(value)[:_LONGEST]) for name, value in settings.items()])

    @property
    def _created(self) -> str:
        return f"{self.run.resolve()} {self.about['created']}"

    def add(self, numbers: Mapping[str, float], step: int) -> None:
        now = int(1000 * datetime.now(UTC).timestamp())
        finite = {name.replace(" ", "_"): value for name, value in numbers.items() if math.isfinite(value)}
        self._client.log_batch(self._id, metrics=[self._metric(name, value, now, step) for name, value in finite.items()])

    def close(self, status: str, report: Path | None) -> None:
        try:
            if report is not None:
                self._client.log_artifact(self._id, str(report))
        finally:
            self._client.set_terminated(self._id, "FINISHED" if status == "finished" else "FAILED")
