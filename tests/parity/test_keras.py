"""Our ``bag`` against the classic Keras program: the same losses, epoch by epoch, and the same answers.

``keras_reference.json`` holds what Keras computed; ``make_keras_reference.py`` beside it says how, and where Keras
departs from the definitions. Ours are the definitions, so the runs recorded as "summed" are taken where both exist.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lossworks.data import Batch
from lossworks.losses import build as loss_of
from lossworks.models.bag import Bag
from lossworks.optim import Optimizer, Stepper, build
from lossworks.optim.rules.adam import Adam
from lossworks.optim.rules.rmsprop import RMSProp
from lossworks.scores import Scores, binary, dense

# Keras puts the epsilon elsewhere in all but SGD: beside the root of the uncorrected second moment in Adam, under the
# root in AdaGrad and RMSProp. So ours may part from Keras a little. The largest difference over the programs, in an
# epoch's mean loss (nats) and in a probability, as measured beside what is allowed. With the epsilon moved to Keras's
# place all of them are within 5e-6 and 2e-5, which `test_only_the_epsilon_differs` holds.
TOLERANCE = {
    ("adam", 0.001): (1e-5, 1e-4),  # 9.2e-6, 2.5e-5
    ("adam", 0.05): (4e-4, 1.5e-3),  # 1.9e-4, 6.7e-4
    ("sgd", 0.01): (1e-6, 1e-6),  # 5.3e-8, 4.6e-8
    ("sgd", 1.0): (1e-6, 1e-6),  # 3.7e-8, 9.0e-8
    ("adagrad", 0.001): (1e-6, 1e-6),  # 5.3e-8, 7.2e-8: the initial 0.1 leaves the epsilon nothing to do
    ("adagrad", 0.3): (1e-6, 1e-6),  # 1.5e-7, 1.7e-7
    ("rmsprop", 0.001): (5e-4, 2e-3),  # 3.4e-4, 1.2e-3: gradients here are near the root of 1e-7
    ("rmsprop", 0.02): (2e-2, 2e-2),  # 1.3e-2, 1.4e-2
}


@cache
def reference() -> dict[str, Any]:
    """What Keras computed."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("keras_reference.json").read_text("utf-8"))
    return found


def runs() -> list[tuple[str, int]]:
    """Every recorded run that follows the definitions: (program, its place)."""
    found = []
    for name, program in reference()["programs"].items():
        ways = {run["row_gradient"] for run in program["runs"]}
        wanted = "summed" if "summed" in ways else "occurrences"
        found += [(name, at) for at, run in enumerate(program["runs"]) if run["row_gradient"] == wanted]
    return found


def title(run: tuple[str, int]) -> str:
    """program-optimizer-rate."""
    recorded = reference()["programs"][run[0]]["runs"][run[1]]
    return f"{run[0]}-{recorded['optimizer']}-{recorded['config']['learning_rate']}"


def ours(run: dict[str, Any]) -> Optimizer:
    """Our optimiser with Keras's settings."""
    name, config = run["optimizer"], run["config"]
    names = {"learning_rate": "lr", "epsilon": "eps", "beta_1": "beta1", "beta_2": "beta2", "rho": "alpha"}
    names |= {"initial_accumulator_value": "initial"}
    return build(f"{name}:" + ",".join(f"{names[key]}={value}" for key, value in config.items() if key in names))


def bag(program: dict[str, Any]) -> Bag:
    """The network with Keras's initial weights."""
    first = {name: torch.tensor(values) for name, values in program["initial"].items()}
    model = Bag(*first["embedding"].shape, 0, program["classes"])
    model.load_state_dict({"table.weight": first["embedding"], "head.weight": first["kernel"].T, "head.bias": first["bias"]})
    return model


def batch_of(program: dict[str, Any], ids: list[list[int]], target: list[int]) -> Batch:
    """Means over the ids; padding is an id like any other, unless the program masks it."""
    kept = [[i for i in row if i or not program["mask_zero"]] for row in ids]
    values = [1 / len(row) for row in kept for _ in row]
    return Batch(
        np.fromiter(chain.from_iterable(kept), np.int32),
        np.cumsum([0, *map(len, kept)]),
        np.array(values, np.float32),
        torch.tensor(target),
        torch.ones(len(kept)),
    )


def scores(program: dict[str, Any], outputs: Tensor, target: Tensor) -> Scores:
    """What the program says of the targets."""
    return binary(outputs[:, 0], target) if program["classes"] == 1 else dense(outputs, target)


def probabilities(program: dict[str, Any], model: Bag, ids: list[list[int]]) -> np.ndarray:
    """Of praise, or of each topic."""
    outputs = model(batch_of(program, ids, [])).detach().double()
    return (outputs[:, 0].sigmoid() if program["classes"] == 1 else outputs.softmax(1)).numpy()


Divide = Callable[[Tensor], Tensor]


def train(program: dict[str, Any], model: Bag, optimizer: Optimizer, divide: Divide = torch.mean) -> list[float]:
    """The mean loss of each epoch, examples in their order."""
    loss, stepper, size = loss_of("cross_entropy"), Stepper(optimizer, model), reference()["batch_size"]
    means = []
    for _ in range(reference()["epochs"]):
        batch_losses = []
        for start in range(0, len(program["labels"]), size):
            some = slice(start, start + size)
            batch = batch_of(program, program["ids"][some], program["labels"][some])
            stepper.train_weights(batch)
            values = loss.values(scores(program, model(batch), batch.target))  # type: ignore[attr-defined]
            divide(values).backward()
            stepper.step()
            batch_losses.append(values.detach().double())
        means.append(float(torch.cat(batch_losses).mean()))
    stepper.eval_weights()
    return means


def worst(
    program: dict[str, Any], run: dict[str, Any], model: Bag, optimizer: Optimizer, divide: Divide = torch.mean
) -> tuple[float, float]:
    """The largest difference to Keras: in an epoch's loss, and in a probability (trained on and new sentences).

    Where the answer is another, the second is infinite.
    """
    losses = np.array(train(program, model, optimizer, divide))
    found = probabilities(program, model, program["ids"] + program["new_ids"])
    wanted = np.array(run["predictions"] + run["new_predictions"])
    answers = [(p > 0.5) if program["classes"] == 1 else p.argmax(1) for p in (found, wanted)]
    apart = float(np.abs(found - wanted).max()) if np.array_equal(*answers) else np.inf
    return float(np.abs(losses - run["epoch_means"]).max()), apart


class KerasUpdate(torch.optim.Optimizer):
    """Adam and RMSProp as Keras spells them, to show what the place of the epsilon does."""

    def __init__(self, parameters: list[Tensor], ours: Adam | RMSProp) -> None:
        super().__init__(parameters, {"lr": ours.lr})
        self.ours, self.steps = ours, 0

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.steps += 1
        for p in (p for group in self.param_groups for p in group["params"]):
            state = self.state[p]
            m, v = state.setdefault("m", torch.zeros_like(p)), state.setdefault("v", torch.zeros_like(p))
            if isinstance(self.ours, RMSProp):
                v.lerp_(p.grad.square(), 1 - self.ours.alpha)
                p -= self.ours.lr * p.grad / (v + self.ours.eps).sqrt()
                continue
            m.lerp_(p.grad, 1 - self.ours.beta1)
            v.lerp_(p.grad.square(), 1 - self.ours.beta2)
            lr = self.ours.lr * (1 - self.ours.beta2**self.steps) ** 0.5 / (1 - self.ours.beta1**self.steps)
            p -= lr * m / (v.sqrt() + self.ours.eps)


def as_keras(optimizer: Optimizer) -> Optimizer:
    """Our optimiser with Keras's update."""
    kind = type(optimizer)
    update = {"row_state": None, "torch": lambda self, parameters: KerasUpdate(parameters, self)}
    return type(kind.__name__, (kind,), update)(**asdict(optimizer))


def each(run: tuple[str, int]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The program and the run."""
    program = reference()["programs"][run[0]]
    return program, program["runs"][run[1]]


def recorded(optimizer: str, rate: float) -> list[tuple[str, int]]:
    """The runs of an optimizer at a rate."""
    return [run for run in runs() if title(run).endswith(f"-{optimizer}-{rate}")]


@pytest.mark.parametrize("run", runs(), ids=title)
def test_the_same_losses_and_answers(run: tuple[str, int]) -> None:
    """Ten epochs from the same weights: losses, classes and probabilities, new sentences among them."""
    program, recorded = each(run)
    loss, probability = worst(program, recorded, bag(program), ours(recorded))
    allowed = TOLERANCE[recorded["optimizer"], recorded["config"]["learning_rate"]]
    assert loss < allowed[0]
    assert probability < allowed[1]


@pytest.mark.parametrize("run", [run for run in runs() if "adam" in title(run) or "rmsprop" in title(run)], ids=title)
def test_only_the_epsilon_differs(run: tuple[str, int]) -> None:
    """With Keras's place for the epsilon, Adam and RMSProp agree to float32 rounding at every rate."""
    program, recorded = each(run)
    loss, probability = worst(program, recorded, bag(program), as_keras(ours(recorded)))
    assert loss < 5e-6
    assert probability < 2e-5


def test_all_five_programs_are_held() -> None:
    """Each program meets each optimiser at both its rates."""
    assert len(runs()) == 5 * 4 * 2
    assert len({title(run) for run in runs()}) == len(runs())


@pytest.mark.parametrize("run", recorded("adam", 0.001), ids=title)
def test_faults_are_caught(run: tuple[str, int]) -> None:
    """One row of the initial weights off by 1e-3."""
    program, recorded = each(run)
    model = bag(program)
    with torch.no_grad():
        model.table.weight[program["ids"][0][0]] += 1e-3
    assert worst(program, recorded, model, ours(recorded))[0] > 1e-5


@pytest.mark.parametrize("run", recorded("sgd", 1.0), ids=title)
def test_a_wrong_mean_is_caught(run: tuple[str, int]) -> None:
    """Sums divided by the usual batch size, not by the examples there are."""
    program, recorded = each(run)
    wrong = worst(program, recorded, bag(program), ours(recorded), lambda values: values.sum() / 2)
    assert wrong[0] > 1e-4
