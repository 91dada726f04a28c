"""Steps on a table's touched rows against the same steps on the whole table, penalties and threads included."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lossworks.data import Batch, SparseEmbedding
from lossworks.optim import Optimizer, Stepper, build, optimizers
from lossworks.penalties import build as penalty_of

ROWS, WIDTH = 600, 3
BY_ROWS = [entry.name for entry in optimizers if entry.thing().works_on_rows]
PENALTIES = [None, "l1:strength=0.002", "l2:strength=0.05"]


class Net(nn.Module):
    """A table and a head, from the same weights each time."""

    def __init__(self) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(1)
        self.table = SparseEmbedding(torch.randn(ROWS, WIDTH, generator=rng))
        self.head = nn.Parameter(torch.randn(WIDTH, 2, generator=rng))
        self.bias = nn.Parameter(torch.zeros(2))

    def forward(self, batch: Batch) -> Tensor:
        return self.table(batch) @ self.head + self.bias

    def flat(self) -> Tensor:
        return nn.utils.parameters_to_vector(self.parameters()).detach().clone()


def batches(steps: int, examples: int = 4) -> list[Batch]:
    """Ragged batches, ids by Zipf's law: a few rows are in every step, most of them rarely or never in any."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(steps):
        lengths = rng.integers(0, 6, examples)
        ids = (rng.zipf(1.4, lengths.sum()) % (ROWS - 1)).astype(np.int32)
        values = rng.uniform(0.2, 1, len(ids)).astype(np.float32)
        target = torch.from_numpy(rng.integers(0, 2, examples))
        found.append(Batch(ids, np.cumsum([0, *lengths]), values, target, torch.ones(examples)))
    return found


def train(
    optimizer: Optimizer, penalty: str | None, data: list[Batch], micro: int = 1, kind: torch.dtype = torch.float32
) -> Tensor:
    """All weights at the end of one epoch, ``micro`` batches a step."""
    net = Net().to(kind)
    stepper = Stepper(optimizer, net, penalty_of(penalty) if penalty else None)
    for start in range(0, len(data), micro):
        observe(stepper, net, data[start])
        for batch in data[start : start + micro]:
            stepper.train_weights(batch)
            (nn.functional.cross_entropy(net(batch), batch.target) / micro).backward()
        stepper.step()
    stepper.eval_weights()
    return net.flat()


def observe(stepper: Stepper, net: Net, batch: Batch) -> None:
    """A curvature from the loss's own gradient, for an optimiser that asks for one."""
    if stepper.wants_curvature:
        stepper.train_weights(batch)
        nn.functional.cross_entropy(net(batch), batch.target).backward()
        stepper.observe_curvature(1)


def whole(optimizer: Optimizer) -> Optimizer:
    """The same optimiser, made to work on whole parameters: PyTorch's own, at every step on every row."""
    kind = type(optimizer)
    return type(kind.__name__, (kind,), {"row_state": None})(**asdict(optimizer))


def spec(name: str) -> str:
    """The optimiser at a rate that moves weights; AdaGrad with a start, or the first steps of resting rows are huge."""
    return f"{name}:lr=0.05" + (",initial=0.1" if name == "adagrad" else "")


def check(optimizer: Optimizer, penalty: str | None, **how: Any) -> None:
    """Both ways end at the same weights, with as many zeros."""
    data = batches(60)
    rows, every = train(optimizer, penalty, data, **how), train(whole(optimizer), penalty, data, **how)
    assert (every == 0).sum() == (rows == 0).sum()
    torch.testing.assert_close(rows, every, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("micro", [1, 3])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("name", BY_ROWS)
def test_rows_are_as_good_as_the_whole(name: str, penalty: str | None, micro: int) -> None:
    """Sparse steps end where dense ones do, to float32 rounding, with the same zeros, also over micro-batches."""
    check(build(spec(name)), penalty, micro=micro)


@pytest.mark.parametrize("name", BY_ROWS)
def test_only_rounding_parts_rows_from_the_whole(name: str) -> None:
    """In float64 the two agree to its last digits: no hyperparameter is rounded to float32 on the way."""
    data, optimizer = batches(60), build(spec(name))
    rows, every = (train(each, None, data, micro=3, kind=torch.float64) for each in (optimizer, whole(optimizer)))
    torch.testing.assert_close(rows, every, rtol=1e-12, atol=1e-12)


def test_most_rows_rest() -> None:
    """The problem above is one in which the two could differ: rows rest for long, and come back."""
    touched = [set(batch.ids.tolist()) for batch in batches(60)]
    assert np.mean([len(ids) for ids in touched]) < 0.03 * ROWS
    gaps = [later - sooner for row in range(ROWS) for sooner, later in pairwise([n for n, t in enumerate(touched) if row in t])]
    assert sum(gap > 20 for gap in gaps) > 10


class Forgetful(Stepper):
    """Leaves out the penalty on rows at rest."""

    def train_weights(self, batch: Batch) -> None:
        for rows in self._rows:
            rows.flowed[:] = rows.clock[0]

    def eval_weights(self) -> None:
        pass


@pytest.mark.parametrize("penalty", PENALTIES[1:])
def test_a_penalty_forgotten_on_resting_rows_is_caught(penalty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault shows in the weights."""
    monkeypatch.setitem(train.__globals__, "Stepper", Forgetful)
    with pytest.raises(AssertionError):
        check(build(spec("sgd")), penalty)


@pytest.mark.parametrize("late", ["train_weights", "eval_weights"])
def test_late_rows_are_caught(late: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows read, or left at the end, without being brought up to date."""
    lazy = type("Lazy", (Stepper,), {late: lambda self, *batch: None})
    monkeypatch.setitem(train.__globals__, "Stepper", lazy)
    with pytest.raises(AssertionError):
        check(build(spec("sgd")), "l2:strength=0.05")


def test_state_of_resting_rows_is_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """RMSProp without the decay of squares in rows at rest is caught."""
    sound = build(spec("rmsprop"))

    class Broken(type(sound)):  # type: ignore[misc]
        def update_rows(self, weight: Any, state: Any, gradient: Any, step: int, lr: float) -> None:
            state["seen"][:] = step - 1
            super().update_rows(weight, state, gradient, step, lr)

    with pytest.raises(AssertionError):
        check(Broken(**asdict(sound)), None)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("name", [entry.name for entry in optimizers if not build(entry.name).needs_closure])
def test_state_goes_there_and_back(name: str, penalty: str | None) -> None:
    """Saved in the middle, rows not yet caught up with, and loaded: the same bits at the end."""
    data = batches(30)
    straight, net = train(build(name), penalty, data), Net()
    steppers = [Stepper(build(name), net, penalty_of(penalty) if penalty else None)]
    for number, batch in enumerate(data):
        if number in (7, 19):
            kept, weights, net = steppers[-1].tensors(), net.state_dict(), Net()
            net.load_state_dict(weights)
            steppers.append(Stepper(build(name), net, penalty_of(penalty) if penalty else None))
            steppers[-1].load(kept)
        observe(steppers[-1], net, batch)
        steppers[-1].train_weights(batch)
        nn.functional.cross_entropy(net(batch), batch.target).backward()
        steppers[-1].step()
    steppers[-1].eval_weights()
    assert steppers[-1].steps == 30
    assert torch.equal(net.flat(), straight)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("name", BY_ROWS)
def test_threads_do_not_matter(name: str, penalty: str | None, threads: Callable[[int], None]) -> None:
    """The same weights, bit for bit, on 1, 2 and 4 threads; the batches are large enough to be shared."""
    data = batches(4, examples=4000)
    assert all(len(batch.ids) * WIDTH > 20_000 for batch in data)
    found = []
    for count in (1, 2, 4):
        threads(count)
        found.append(train(build(spec(name)), penalty, data).numpy().tobytes())
    assert found[0] == found[1] == found[2]


def test_a_second_stepper_takes_over() -> None:
    """A model trained by rows, then by an optimiser of whole tables, goes on learning."""
    net, batch = Net(), batches(1)[0]
    for name in ("sgd", "adam"):
        before, stepper = net.table.weight.detach().clone(), Stepper(build(name), net)
        nn.functional.cross_entropy(net(batch), batch.target).backward()
        stepper.step()
        assert not torch.equal(net.table.weight, before)
