"""Makes optimizer_reference.json: where other implementations of our optimisers go on a small problem, in float64.

Run by hand, outside the checks, in an environment of its own that has torch, lion-pytorch, prodigyopt, pytorch-optimizer and
schedulefree:

    python tests/parity/make_optimizer_reference.py

The problem is that of tests/optim/battery.py: logistic regression of 40 examples with five inputs and three classes, a matrix
and a bias, ten examples a step in turn; it is recorded too. Matrices decay, biases do not.

A new one is a line in RUNS: our spec → a function of the two parameters that makes the other implementation's optimizer,
anything with ``step()``. Where a package departs from the paper, a class here takes the departure back, and says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from lion_pytorch import Lion
from prodigyopt import Prodigy
from pytorch_optimizer import Adan, AdEMAMix, SophiaH
from schedulefree import AdamWScheduleFreePaper, SGDScheduleFreeReference
from torch import Tensor, nn

STEPS = (1, 2, 5, 10, 20, 50, 100)
Parameters = list[nn.Parameter]


def groups(parameters: Parameters, weight_decay: float) -> list[dict[str, Any]]:
    """The matrix decays, the bias does not."""
    return [{"params": parameters[:1], "weight_decay": weight_decay}, {"params": parameters[1:], "weight_decay": 0.0}]


class PaperAdan(Adan):  # type: ignore[misc]
    """Adan whose averages start at the first gradient, as the paper has it, in the place of a correction of their bias."""

    def debias(self, beta: float, step: int) -> float:
        return 1.0

    def init_group(self, group: dict[str, Any], **_: Any) -> None:
        group.setdefault("step", 0)
        for p in group["params"]:
            if not self.state[p]:
                first = p.grad.clone()
                self.state[p] |= {"exp_avg": first, "exp_avg_sq": first**2, "exp_avg_diff": 0 * first, "previous_grad": -first}


class SophiaG:
    """Sophia with the squared gradient for a curvature, every few steps.

    The package clips m / max(h, eps) at p, so gamma goes into p = gamma, eps / gamma, lr / gamma and weight_decay · gamma.
    """

    def __init__(
        self, parameters: Parameters, gamma: float, every: int, lr: float, eps: float, decay: float, **more: Any
    ) -> None:
        self.inner = SophiaH(
            groups(parameters, decay * gamma), lr=lr / gamma, eps=eps / gamma, p=gamma, update_period=every, **more
        )
        self.parameters, self.every, self.steps = parameters, every, 0

    def step(self) -> None:
        due = self.steps % self.every == 0
        self.inner.step(hessian=[p.grad**2 for p in self.parameters] if due else None)
        self.steps += 1


def training(optimizer: Any) -> Any:
    """A schedule-free one, told to train."""
    optimizer.train()
    return optimizer


RUNS: dict[str, tuple[str, Callable[[Parameters], Any]]] = {
    "lion:lr=0.01,beta1=0.85,beta2=0.97,weight_decay=0.3": (
        "lion-pytorch",
        lambda p: Lion(groups(p, 0.3), lr=0.01, betas=(0.85, 0.97)),
    ),
    "ademamix:lr=0.02,beta1=0.8,beta2=0.95,beta3=0.99,alpha=3,eps=0.001,weight_decay=0.3": (
        "pytorch-optimizer",
        lambda p: AdEMAMix(groups(p, 0.3), lr=0.02, betas=(0.8, 0.95, 0.99), alpha=3.0, eps=0.001, weight_decouple=True),
    ),
    "ademamix:lr=0.02,beta1=0.8,beta2=0.95,beta3=0.999,alpha=4,warmup_alpha=60,warmup_beta3=60": (
        "pytorch-optimizer",
        lambda p: AdEMAMix(p, lr=0.02, betas=(0.8, 0.95, 0.999), alpha=4.0, t_alpha_beta3=60),
    ),
    "adan:lr=0.02,beta1=0.9,beta2=0.8,beta3=0.95,eps=0.001,weight_decay=0.3": (
        "pytorch-optimizer",
        lambda p: PaperAdan(groups(p, 0.3), lr=0.02, betas=(0.9, 0.8, 0.95), eps=0.001),
    ),
    "sophia:lr=0.02,beta1=0.9,beta2=0.8,gamma=0.6,eps=0.001,every=3,weight_decay=0.3": (
        "pytorch-optimizer",
        lambda p: SophiaG(p, 0.6, 3, lr=0.02, betas=(0.9, 0.8), eps=0.001, decay=0.3),
    ),
    "schedule_free_sgd:lr=0.3,beta=0.8,warmup=7,weight_decay=0.1": (
        "schedulefree",
        lambda p: training(SGDScheduleFreeReference(groups(p, 0.1), lr=0.3, momentum=0.8, warmup_steps=7)),
    ),
    "schedule_free_adamw:lr=0.03,beta1=0.85,beta2=0.95,eps=0.001,warmup=7,weight_decay=0.3": (
        "schedulefree",
        lambda p: training(
            AdamWScheduleFreePaper(groups(p, 0.3), lr=0.03, betas=(0.85, 0.95), eps=0.001, warmup_steps=7, foreach=False)
        ),
    ),
    # An eps that is not seen: the package multiplies it by the new estimate of the distance, the paper by the old.
    "prodigy:lr=0.7,beta1=0.8,beta2=0.95,d0=0.001,eps=1e-30,weight_decay=0.3": (
        "prodigyopt",
        lambda p: Prodigy(groups(p, 0.3), lr=0.7, betas=(0.8, 0.95), d0=0.001, eps=1e-30),
    ),
}


def problem() -> dict[str, Tensor]:
    """The examples, and where the weights start."""
    rng = torch.Generator().manual_seed(4)
    inputs = torch.randn(40, 5, generator=rng)
    target = (inputs @ torch.randn(5, 3, generator=rng)).argmax(1)
    matrix, bias = torch.randn(5, 3, generator=rng), torch.randn(3, generator=rng)
    return {"inputs": inputs.double(), "target": target, "matrix": matrix.double(), "bias": bias.double()}


def record(make: Callable[[Parameters], Any]) -> dict[str, Any]:
    """The weights after some of a hundred steps, and those to evaluate with where they are others."""
    given = problem()
    parameters = [nn.Parameter(given["matrix"]), nn.Parameter(given["bias"])]
    optimizer, after = make(parameters), {}
    for number in range(100):
        some = slice(number % 4 * 10, number % 4 * 10 + 10)
        for p in parameters:
            p.grad = None
        loss = nn.functional.cross_entropy(given["inputs"][some] @ parameters[0] + parameters[1], given["target"][some])
        loss.backward()
        optimizer.step()
        if number + 1 in STEPS:
            after[number + 1] = weights(parameters)
    if not hasattr(optimizer, "eval"):
        return {"after": after}
    optimizer.eval()
    return {"after": after, "evaluated": weights(parameters)}


def weights(parameters: Parameters) -> list[float]:
    """All of them in a row."""
    return nn.utils.parameters_to_vector(parameters).tolist()


def main() -> None:
    """Write everything down."""
    runs = {spec: {"package": f"{package} {version(package)}", **record(make)} for spec, (package, make) in RUNS.items()}
    found = {"torch": torch.__version__, "problem": {name: value.tolist() for name, value in problem().items()}, "runs": runs}
    text = json.dumps(found, separators=(",", ":")).replace('"runs":', '\n"runs":').replace('"package"', '\n"package"')
    Path(__file__).with_name("optimizer_reference.json").write_text(text + "\n", "utf-8")
    print(f"{len(runs)} runs")


if __name__ == "__main__":
    main()
