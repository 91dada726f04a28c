"""Where other packages' optimisers of matrices take a small problem, written to ``matrix_reference.json``.

    python tests/parity/make_matrix_reference.py

in an environment with ``torch`` and ``pytorch_optimizer``. The problem is that of ``tests/optim/battery.py``, in float64; where
it starts is recorded too, so that a change there is noticed.

Where a package parts from the paper, it is made to follow it here:

pytorch_optimizer's SOAP, which follows the authors' own code, adds eps to √v before its bias is corrected, where ours adds it
after: it is given eps · √(1 - β₂ᵗ) at step t. Its QR is rounded to float32; here it stays in float64. It skips the first step
of vectors too, which the paper has go by AdamW: the bias goes by PyTorch's.
"""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

HERE = Path(__file__).parent
STEPS = (1, 2, 5, 10, 20, 50, 100)
NUMBERS = {"lr": 0.02, "betas": (0.8, 0.9), "eps": 0.01}
SPECS = {
    "soap:lr=0.02,beta1=0.8,beta2=0.9,eps=0.01,every=3,max_dim=4": {"precondition_frequency": 3, "max_precondition_dim": 4},
    "soap:lr=0.02,beta1=0.8,beta2=0.9,eps=0.01,every=10,max_dim=4": {"precondition_frequency": 10, "max_precondition_dim": 4},
}


class Exact:
    """PyTorch for a module that would round to float32."""

    float32 = torch.float64

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


def soap(matrix: nn.Parameter, settings: dict[str, Any]) -> SimpleNamespace:
    """The package's SOAP of the matrix."""
    import pytorch_optimizer

    vars(sys.modules[pytorch_optimizer.SOAP.__module__])["torch"] = Exact()
    made = pytorch_optimizer.SOAP([matrix], **NUMBERS, weight_decay=0.0, **settings)
    number = 0

    def step() -> None:
        nonlocal number
        made.param_groups[0]["eps"] = NUMBERS["eps"] * (1 - NUMBERS["betas"][1] ** number) ** 0.5
        made.step()
        number += 1

    return SimpleNamespace(step=step)


def problem() -> tuple[torch.Tensor, torch.Tensor, nn.Parameter, nn.Parameter]:
    """Inputs, classes, and where matrix and bias start."""
    rng = torch.Generator().manual_seed(4)
    inputs = torch.randn(40, 5, generator=rng)
    target = (inputs @ torch.randn(5, 3, generator=rng)).argmax(1)
    matrix, bias = torch.randn(5, 3, generator=rng), torch.randn(3, generator=rng)
    return inputs.double(), target, nn.Parameter(matrix.double()), nn.Parameter(bias.double())


def walk(settings: dict[str, Any]) -> dict[str, list[float]]:
    """The weights before the first step, and after each of ``STEPS``."""
    inputs, target, matrix, bias = problem()
    found = {"0": nn.utils.parameters_to_vector([matrix, bias]).tolist()}
    both = [soap(matrix, settings), torch.optim.AdamW([bias], **NUMBERS, weight_decay=0.0)]
    for number in range(max(STEPS)):
        some = slice(number % 4 * 10, number % 4 * 10 + 10)
        matrix.grad = bias.grad = None
        nn.functional.cross_entropy(inputs[some] @ matrix + bias, target[some]).backward()
        for each in both:
            each.step()
        if number + 1 in STEPS:
            found[str(number + 1)] = nn.utils.parameters_to_vector([matrix, bias]).tolist()
    return found


if __name__ == "__main__":
    packages = {name: metadata.version(name) for name in ("pytorch_optimizer", "torch")}
    runs = {spec: walk(settings) for spec, settings in SPECS.items()}
    (HERE / "matrix_reference.json").write_text(json.dumps({"packages": packages, "runs": runs}, indent=1) + "\n")
    print("\n".join(f"{spec}: {run['100'][:3]}" for spec, run in runs.items()))
