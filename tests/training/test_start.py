"""A training that goes on: the run's weights and its optimizer's state stand in a larger network as they stood in the smaller."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import lossworks
from lossworks import optim
from lossworks.api.going_on import Origin
from lossworks.inference import NetworkPredictor
from lossworks.tasks import Classify
from lossworks.training.start import Start

STEPPERS = {
    "rows": ("adagrad:lr=0.1", None),
    "adamw": ("adamw:lr=0.01", None),
    "averaged": ("sgd:lr=0.1,momentum=0.9", 0.9),
    "schedule_free": ("schedule_free_adamw:lr=0.01", None),
    "prodigy": ("prodigy", None),
}
MORE = 7  # features that the larger network has besides


def fitted(out: Path, labels: str, optimizer: str = "adamw:lr=0.01", ema: float | None = None) -> Start:
    """A run on texts of which each names its label, opened."""
    rows = [(f"{label} {word} {number % 5}", label) for label in labels for number, word in enumerate(["x", "y", "z"] * 8)]
    lossworks.fit(rows, model="bag:dim=3,bits=8", optimizer=optimizer, ema=ema, epochs=3, out=out, valid=0, test=0)
    return Origin(out).open("cpu")


def stepped(start: Start, outputs: int, more: int, ema: float | None, *, state: bool = True) -> dict[str, torch.Tensor]:
    """Weights after two steps on a network of more outputs and features; the gradient is of those that there were alone."""
    assert isinstance(start.trained, NetworkPredictor)
    network = start.trained.spec.network(len(start.trained.features) + more, outputs, seed=1)
    suited = start.fill(network, Classify(tuple("abcdefgh"[:outputs])))
    stepper = optim.Stepper(optim.build(start.optimizer), network, ema=ema)
    if state:
        start.take_up(stepper, suited)
        assert start.said == ""
    old = {name: value.shape for name, value in start.trained.network.named_parameters()}
    for step in range(2):
        stepper.train_weights()
        for name, p in network.named_parameters():
            p.grad = torch.zeros_like(p)
            own = torch.randn(old[name], generator=torch.Generator().manual_seed(step))
            p.grad[tuple(map(slice, old[name]))] = own
        stepper.step()
    stepper.eval_weights()
    assert stepper.steps == 2 + state * int(start.state["steps"])  # type: ignore[index]
    return {name: p.detach()[tuple(map(slice, old[name]))].clone() for name, p in network.named_parameters()}


@pytest.mark.parametrize("kind", STEPPERS)
def test_state_is_that_of_the_old_rows_in_a_larger_network(kind: str, tmp_path: Path) -> None:
    """What was there is stepped as if nothing had been added, from the state that the run ended with, not from none."""
    optimizer, ema = STEPPERS[kind]
    start = fitted(tmp_path / "run", "abc", optimizer, ema)
    small, large, anew = (
        stepped(start, outputs, more, ema, state=state) for outputs, more, state in ((3, 0, True), (5, MORE, True), (3, 0, False))
    )
    for name, value in small.items():
        torch.testing.assert_close(large[name], value, rtol=1e-5, atol=1e-7)
    assert any(not torch.allclose(anew[name], value, rtol=1e-3) for name, value in small.items())


def test_what_is_new_begins_as_a_fresh_network_does(tmp_path: Path) -> None:
    """Rows of new labels and features are those of a network that was just made; old answers are as they were."""
    start = fitted(tmp_path / "run", "abc")
    assert isinstance(start.trained, NetworkPredictor)
    features = len(start.trained.features)
    fresh, grown = (start.trained.spec.network(features + MORE, 5, seed=1) for _ in range(2))
    start.fill(grown, Classify(tuple("abcde")))
    assert torch.equal(grown.head.weight[3:], fresh.head.weight[3:])  # type: ignore[union-attr]
    assert torch.equal(grown.table.weight[features:], fresh.table.weight[features:])  # type: ignore[union-attr]
    start.trained.learned, before = grown, start.trained.scores(["a x", "b y"])
    start.trained.task = Classify(tuple("abcde"))
    assert np.array_equal(start.trained.scores(["a x", "b y"])[:, :3], before)


def test_two_classes_become_three(tmp_path: Path) -> None:
    """Two classes have one output, the log-odds of the second; among three, the first has the logit 0 and the second these."""
    start = fitted(tmp_path / "run", "ab")
    assert isinstance(start.trained, NetworkPredictor)
    before = start.trained.scores(["a x", "b y"])
    network = start.trained.spec.network(len(start.trained.features), 3, seed=1)
    start.fill(network, Classify(tuple("abc")))
    start.trained.learned, start.trained.task = network, Classify(tuple("abc"))
    assert before[0, 0] == 0
    np.testing.assert_allclose(start.trained.scores(["a x", "b y"])[:, :2], before, rtol=1e-6)


@pytest.mark.parametrize(
    ("optimizer", "remove", "said"), [("adamw:lr=0.01,beta1=0.5", False, "hyperparameters"), ("adamw:lr=0.5", True, "no folder")]
)
def test_state_that_does_not_fit_is_said_to_begin_anew(optimizer: str, remove: bool, said: str, tmp_path: Path) -> None:
    """Another optimizer's state is not taken up, nor one that is not there; another rate is no other optimizer."""
    start = fitted(tmp_path / "run", "abc")
    assert isinstance(start.trained, NetworkPredictor)
    network = start.trained.network
    stepper = optim.Stepper(optim.build(optimizer), network)
    start.state = None if remove else start.state
    start.take_up(stepper, start.fill(network, start.trained.task))
    assert said in start.said
    assert stepper.steps == 0
