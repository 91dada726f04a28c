"""Our SOAP goes where another package's does; ``make_matrix_reference.py`` says how the numbers were made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from lossworks.optim import Stepper, build
from optim.battery import Weights, descent, problem, step_by

RUNS: dict[str, dict[str, list[float]]] = json.loads(Path(__file__).with_name("matrix_reference.json").read_text())["runs"]


def furthest(spec: str, wanted: dict[str, list[float]]) -> float:
    """The largest difference from the recorded weights."""
    inputs, target, *start = problem()
    model = Weights(*start)
    stepper, apart = Stepper(build(spec), model), 0.0
    assert model.flat().tolist() == wanted["0"]
    for number in range(100):
        step_by(stepper, descent(model, number, inputs, target))
        if str(number + 1) in wanted:
            there = torch.tensor(wanted[str(number + 1)], dtype=torch.float64)
            apart = max(apart, float((model.flat() - there).abs().max()))
    return apart


@pytest.mark.parametrize("spec", RUNS)
def test_the_same_way(spec: str) -> None:
    """To 1e-9 over a hundred steps; with another time between refreshes it would part by more than 1e-4."""
    assert len(RUNS[spec]) == 8
    assert furthest(spec, RUNS[spec]) < 1e-9
    assert furthest(spec.replace("every=", "every=1"), RUNS[spec]) > 1e-4
