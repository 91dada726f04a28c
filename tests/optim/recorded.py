"""Holds optimisers to the way that other implementations went, as tests/parity/optimizer_reference.json has it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lossworks.optim import Optimizer, Stepper, build
from optim.battery import Weights, descent, step_by


@cache
def reference() -> dict[str, Any]:
    """What was recorded; make_optimizer_reference.py beside it says how."""
    path = Path(__file__).parents[1] / "parity" / "optimizer_reference.json"
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def runs(name: str) -> dict[str, dict[str, Any]]:
    """Specs of the optimiser ``name`` → what was recorded of each."""
    return {spec: run for spec, run in reference()["runs"].items() if spec.partition(":")[0] == name}


def check_recorded(optimizer: Optimizer, run: dict[str, Any], kind: torch.dtype = torch.float64, rounding: float = 1e-9) -> None:
    """The recorded weights after each step that was recorded, and at the end those to evaluate with, to ``rounding``."""
    problem = {name: torch.tensor(value, dtype=torch.float64) for name, value in reference()["problem"].items()}
    inputs, target = problem["inputs"].to(kind), problem["target"].long()
    model = Weights(problem["matrix"].to(kind), problem["bias"].to(kind))
    stepper = Stepper(optimizer, model)

    def check(wanted: list[float], at: str) -> None:
        flat: Tensor = model.flat().double()
        torch.testing.assert_close(
            flat, torch.tensor(wanted, dtype=torch.float64), rtol=rounding, atol=rounding / 10, msg=lambda text: f"{at}: {text}"
        )

    for number in range(100):
        step_by(stepper, descent(model, number, inputs, target))
        if str(number + 1) in run["after"]:
            check(run["after"][str(number + 1)], f"after {number + 1} steps")
    stepper.eval_weights()
    check(run.get("evaluated", run["after"]["100"]), "to evaluate with")


def follow(name: str, float32: float = 2e-5) -> None:
    """Check every recorded run of the optimiser ``name``: in float64 to 1e-9, and in float32."""
    assert runs(name), f"no run of {name!r} was recorded"
    for spec, run in runs(name).items():
        check_recorded(build(spec), run)
        check_recorded(build(spec), run, torch.float32, float32)
