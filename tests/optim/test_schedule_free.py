"""The two points of schedule-free optimisers: which of them shows, in a careful loop and in one that never asks."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lossworks.core.errors import UsageError
from lossworks.optim import Stepper, build
from optim.test_penalised_optimum import optimum, trained

SPECS = ("schedule_free_sgd:lr=0.3,warmup=3", "schedule_free_adamw:lr=0.02")


def network(kind: torch.dtype = torch.float32) -> nn.Module:
    """Two layers."""
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2)).to(kind)


def examples(number: int) -> Tensor:
    """The inputs of a step."""
    return torch.randn(8, 4, generator=torch.Generator().manual_seed(number))


def flat(module: nn.Module) -> Tensor:
    """All weights in a row."""
    return nn.utils.parameters_to_vector(module.parameters()).detach().clone()


def turn(module: nn.Module, optimizer: Any, number: int) -> None:
    """A step of a loop."""
    inputs = examples(number)
    kind = next(module.parameters()).dtype
    optimizer.zero_grad()
    nn.functional.cross_entropy(module(inputs.to(kind)), (inputs[:, 0] > 0).long()).backward()
    optimizer.step()


@pytest.mark.parametrize("spec", SPECS)
def test_a_careless_loop_saves_what_a_careful_one_does(spec: str) -> None:
    """Without a call of train or eval: the weights that are saved, and the outputs of an evaluation in the middle."""
    careless, careful = network(), network()
    first, second = build(spec).over(careless), build(spec).over(list(careful.parameters()))
    seen: list[Tensor] = []
    for number in range(20):
        second.train()  # type: ignore[attr-defined]
        turn(careless, first, number)
        turn(careful, second, number)
        if number == 11:
            second.eval()  # type: ignore[attr-defined]
            for module in (careless, careful):
                module.eval()
                seen.append(module(examples(99)).detach())
                module.train()
    at_training = flat(careful)
    second.eval()  # type: ignore[attr-defined]
    saved = careless.state_dict()
    for name, value in careful.state_dict().items():
        assert torch.equal(saved[name], value)
    assert torch.equal(*seen)
    assert not torch.equal(at_training, flat(careful))  # the trap is there: the other weights are others


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("spec", SPECS)
def test_evaluation_does_not_disturb_training(spec: str, kind: torch.dtype) -> None:
    """Back and forth after every step, and saved in between, ends in the same bits as straight on."""
    straight, disturbed = network(kind), network(kind)
    first, second = build(spec).over(straight), build(spec).over(disturbed)
    for number in range(12):
        turn(straight, first, number)
        turn(disturbed, second, number)
        before = flat(disturbed)
        second.eval()  # type: ignore[attr-defined]
        disturbed.state_dict()
        second.train()  # type: ignore[attr-defined]
        assert torch.equal(before, flat(disturbed))
        second.eval()  # type: ignore[attr-defined]
    second.train()  # type: ignore[attr-defined]
    assert torch.equal(flat(straight), flat(disturbed))


@pytest.mark.parametrize("weights_first", [True, False])
@pytest.mark.parametrize("spec", SPECS)
def test_saved_and_loaded_in_any_order(spec: str, weights_first: bool) -> None:
    """Weights before the optimiser's state or after it: training goes on in the same bits, evaluation is the same at once."""
    module, twin = network(), network()
    optimizer, resumed = build(spec).over(module), build(spec).over(twin)
    for number in range(6):
        turn(module, optimizer, number)
    if weights_first:
        weights, state = copy.deepcopy(module.state_dict()), copy.deepcopy(optimizer.state_dict())
        twin.load_state_dict(weights)
        resumed.load_state_dict(state)
    else:
        state, weights = copy.deepcopy(optimizer.state_dict()), copy.deepcopy(module.state_dict())
        resumed.load_state_dict(state)
        twin.load_state_dict(weights)
    assert torch.equal(flat(twin), nn.utils.parameters_to_vector(list(weights.values())))
    for number in range(6, 12):
        turn(module, optimizer, number)
        turn(twin, resumed, number)
    assert torch.equal(flat(module), flat(twin))


def test_the_stepper_decides() -> None:
    """eval_weights holds while a module in training mode is evaluated; train_weights, while one in eval mode trains."""
    module = network()
    stepper = Stepper(build(SPECS[0]), module)
    for number in range(5):
        stepper.train_weights()
        nn.functional.cross_entropy(module(examples(number)), (examples(number)[:, 0] > 0).long()).backward()
        stepper.step()
    stepper.eval_weights()
    evaluated = flat(module)
    with torch.no_grad():
        module(examples(9))
    assert torch.equal(flat(module), evaluated)
    stepper.train_weights()
    module.eval()
    trained_with = flat(module)
    module(examples(9))
    assert torch.equal(flat(module), trained_with)
    assert not torch.equal(evaluated, trained_with)


def test_a_pass_after_eval_trains_at_the_training_point() -> None:
    """A loop that calls eval to save and forgets train goes on as if it had called it."""
    module, other = network(), network()
    optimizer, straight = build(SPECS[0]).over(module), build(SPECS[0]).over(other)
    for number in range(8):
        turn(module, optimizer, number)
        turn(other, straight, number)
        optimizer.eval()  # type: ignore[attr-defined]
    optimizer.train()  # type: ignore[attr-defined]
    assert torch.equal(flat(module), flat(other))


def test_hooks_end_with_the_optimiser() -> None:
    """It can be collected, and leaves the module as it was; copies of the module never had a part in it."""
    module = network()
    optimizer = build(SPECS[0]).over(module)
    turn(module, optimizer, 0)
    turn(module, optimizer, 1)
    copies = [copy.deepcopy(module), pickle.loads(pickle.dumps(module))]
    training = flat(module)
    for each in copies:
        each.eval()(examples(2))
        each.state_dict()
    assert torch.equal(flat(module), training)
    assert torch.equal(flat(copies[0]), training)
    alive = weakref.ref(optimizer)
    del optimizer
    gc.collect()
    assert alive() is None
    assert not module._forward_pre_hooks
    assert not any(each._state_dict_pre_hooks for each in module.modules())


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("kind", ["l1", "l2"])
def test_penalised_optimum(spec: str, kind: str) -> None:
    """A penalty moves the fast point; the average goes to the optimum with it."""
    name, lr = spec.partition(":")[0], 0.5 if "sgd" in spec else 0.05
    found = trained(name, f"{kind}:strength=0.03", {lr: 800})
    np.testing.assert_allclose(found, optimum(kind), atol=0.03)


def test_an_average_of_the_average_is_refused() -> None:
    """The stepper's own average of weights has nothing to add."""
    with pytest.raises(UsageError, match="Leave ema out"):
        Stepper(build(SPECS[0]), network(), ema=0.9)
