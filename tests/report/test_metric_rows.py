"""What is said beside a run's metrics."""

from __future__ import annotations

from typing import Any

import pytest

from lossworks.cli.tables import print_metrics
from lossworks.report.metric_rows import unscaled


def result(before: float | None) -> dict[str, Any]:
    """A result whose nll is 0.5, and before scaling another."""
    uncalibrated = {} if before is None else {"nll": {"value": before, "low": 0.1, "high": 0.9}}
    return {"metrics": {"nll": {"value": 0.5, "low": 0.4, "high": 0.6}}, "uncalibrated": uncalibrated, "baseline": None}


@pytest.mark.parametrize(("before", "told"), [(0.49, True), (0.5, False), (0.6, False), (None, False)])
def test_a_better_figure_before_scaling(before: float | None, told: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """It is explained where it is shown, and only there."""
    assert bool(unscaled(result(before))) is told
    print_metrics(result(before), "On 9 rows")
    assert ("the temperature was fitted to the validation rows" in " ".join(capsys.readouterr().out.split())) is told


def test_a_run_that_failed() -> None:
    """It has no figures to explain."""
    assert unscaled({}) == ""
