"""The landscape around trained weights: training repeated to the bit, planes worked by hand, losses of whole networks."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import lossworks
from lossworks.core.errors import UsageError
from lossworks.data import load
from lossworks.engine import Callbacks
from lossworks.record import Run
from lossworks.surfaces import landscape
from lossworks.surfaces.probe import Probe
from lossworks.training import Settings, replay
from lossworks.training.refit import REFIT_AT_MOST

WORDS = ["good", "fine", "bad", "sad", "odd", "red"]
LINEAR: dict[str, Any] = {"model": "linear:bits=10,chars=3", "epochs": 4, "batch_size": 16}
BAG: dict[str, Any] = {"model": "bag:dim=4,dropout=0.3", "epochs": 4, "batch_size": 16, "optimizer": "adam:lr=0.02"}


def texts(kind: str = "classify", count: int = 90) -> list[Any]:
    """Noisy rows of any kind of task."""
    chance = np.random.default_rng(1)
    rows: list[Any] = []
    for number in range(count):
        words = chance.choice(WORDS, 3).tolist()
        score = sum(word in WORDS[:2] for word in words) + chance.normal() / 2
        label: Any = ("no", "yes")[int(score > 1)]
        label = {"classify": label, "regress": float(score), "multilabel": [label, words[0]]}[kind]
        rows.append({"text": f"{' '.join(words)} n{number % 40}", "label": label})
    return rows


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "linear": ("classify", LINEAR),
    "penalty": ("classify", LINEAR | {"penalty": "l1:strength=0.001"}),
    "whole tables": ("classify", LINEAR | {"optimizer": "adam:lr=0.01", "penalty": "l1:strength=0.001"}),
    "full batch": ("classify", LINEAR | {"optimizer": "gradient_descent"}),
    "counts": ("classify", LINEAR | {"loss": "ldam", "class_weight": "balanced"}),
    "risk": ("classify", LINEAR | {"risk": "group_dro"}),
    "bag": ("classify", BAG),
    "hidden": ("classify", BAG | {"model": "bag:dim=4,hidden=3"}),
    "stopped early": ("classify", BAG | {"optimizer": "adam:lr=0.3", "epochs": 12, "patience": 2}),
    "multilabel": ("multilabel", LINEAR),
    "regress": ("regress", BAG),
}


@pytest.mark.parametrize(
    ("case", "twice"), [*((case, True) for case in CASES), ("penalty", False), ("full batch", False), ("stopped early", False)]
)
def test_training_ends_in_the_same_bits(case: str, twice: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was trained, once or twice: the model's own weights, though snapshots were taken on the way."""
    kind, choices = CASES[case]
    if not twice:
        monkeypatch.setattr("lossworks.training.refit.REFIT_AT_MOST", 0)
    rows = texts(kind)
    model = lossworks.fit(rows, out=tmp_path / "run", **choices)
    assert (model.record["result"]["refit_rows"] is not None) == twice
    found = lossworks.landscape(tmp_path / "run", rows, resolution=2).found
    assert found.exact
    assert found.off == 0
    assert found.second == twice
    steps = [spot.step for spot in found.trajectory]
    assert steps[0] == 0
    assert steps == sorted(set(steps))
    assert 3 <= len(steps) <= replay.MOST
    # The weights kept are those of the best epoch, and its end is among the snapshots.
    best = model.record["result"]["best_epoch"]
    assert found.kept.epoch == best
    assert math.hypot(*next((s.x, s.y) for s in found.trajectory if s.step == found.kept.step)) < 1e-5
    assert found.trajectory[-1].epoch == (best if twice else model.record["result"]["epochs"])


def replayed(folder: Path, kind: str = "classify", **more: Any) -> replay.Replayed:
    """A small training, done and done again."""
    rows = texts(kind)
    record = lossworks.fit(rows, out=folder / "run", **BAG | more).record
    corpus = load(rows)
    return replay.replay([corpus], [None], Settings(**record["config"]), record, Callbacks(), scratch=folder)


@pytest.mark.parametrize(
    ("kind", "model"), [("classify", "linear:bits=10"), ("regress", "bag:dim=4,hidden=3"), ("multilabel", "bag:dim=3")]
)
def test_losses_are_those_of_the_whole_network(kind: str, model: str, tmp_path: Path) -> None:
    """At any place, the mean over the rows is that of the network with those weights, as it is trained."""
    done = replayed(tmp_path, kind, model=model)
    whole, data = copy.deepcopy(done.network), done.data
    center = replay.flat(done.network)
    directions = [torch.randn(len(center), generator=torch.Generator().manual_seed(n)) for n in range(2)]
    probe = Probe(done, 10_000, 0)
    assert data.train is not None
    assert probe.rows == data.train.rows
    seen = [probe.see(weights) for weights in (center, *directions)]
    for right, up in ((0.0, 0.0), (0.3, -0.2), (-2.0, 1.0)):
        nn.utils.vector_to_parameters(center + right * directions[0] + up * directions[1], whole.parameters())
        numbers, selected = data.train.piece(0)
        batch = data.batch(selected, numbers, np.arange(len(numbers)))
        with torch.no_grad():
            wanted = data.task.losses(done.loss, whole.eval()(batch), batch.target).double().mean()
        found = probe.losses(landscape._mix(seen[0], (seen[1], right), (seen[2], up)))
        assert found[0] == pytest.approx(float(wanted), rel=1e-5)
    done.close()


def test_held_out_loss_is_that_of_the_record(tmp_path: Path) -> None:
    """At the weights kept, with every test row, the log loss is what the record says of the model before calibration."""
    rows = texts(count=200)
    record = lossworks.fit(rows, out=tmp_path / "run", **LINEAR).record
    found = lossworks.landscape(tmp_path / "run", rows, resolution=3, plane="random").found
    told = record["result"].get("uncalibrated", record["result"]["metrics"])["nll"]["value"]
    assert found.kept.held_out == pytest.approx(told, rel=1e-5)
    assert found.held_out is not None
    assert found.held_out[1][1] == pytest.approx(told, rel=1e-5)  # the middle of a square
    assert found.loss[1][1] == found.kept.loss


def test_few_rows_are_drawn_by_the_seed(tmp_path: Path) -> None:
    """As many as were asked for; the same by the same seed."""
    rows = texts()
    lossworks.fit(rows, out=tmp_path / "run", **LINEAR)
    look = [lossworks.landscape(tmp_path / "run", rows, resolution=2, rows=20, seed=seed).found for seed in (3, 3, 4)]
    assert look[0] == look[1]
    assert look[0].loss != look[2].loss
    assert (look[0].rows, look[0].held_out_rows) == (20, min(20, look[0].held_out_rows))


def test_principal_directions_by_hand() -> None:
    """Distances along two axes give those axes, longest first, the start to the left; their shares are of the squares."""
    offsets = [torch.tensor([4.0, 0, 0, 0]), torch.tensor([0.0, 0, -2, 0]), torch.tensor([0.0, 0, 0, 0])]
    directions, places, shares = landscape._trajectory(offsets, lambda: torch.ones(4))
    torch.testing.assert_close(torch.stack(directions), torch.tensor([[-1.0, 0, 0, 0], [0, 0, -1, 0]]))
    np.testing.assert_allclose(places, [(-4, 0), (0, 2), (0, 0)], atol=1e-6)
    assert shares == pytest.approx((0.8, 0.2))
    straight = [torch.tensor([2.0, 0]), torch.tensor([1.0, 0])]
    directions, places, shares = landscape._trajectory(straight, lambda: torch.tensor([3.0, 4.0]))
    torch.testing.assert_close(torch.stack(directions), torch.tensor([[-1.0, 0], [0, 1]]))
    assert shares == pytest.approx((1, 0))
    with pytest.raises(UsageError, match="did not move"):
        landscape._trajectory([torch.zeros(3), torch.zeros(3)], lambda: torch.ones(3))


def test_the_plane_holds_the_trajectory() -> None:
    """With a margin around it and the weights kept, and never as narrow as a line."""
    (left, right), (low, high) = landscape._around([(-4.0, 0.0), (-2.0, 0.1)])
    assert (left, right) == pytest.approx((-5, 1))
    assert high - low == pytest.approx(2 * 0.2 * 4)
    assert landscape._square([(0.1, 0.2)], 2.0) == [(-2, 2), (-2, 2)]
    assert landscape._square([(4.0, 0.2)], 2.0)[0][1] > 4


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(5, 3)
        with torch.no_grad():
            self.layer.weight[1] = 0


def test_random_directions_are_as_long_as_each_row() -> None:
    """Every row of a matrix has the weights' own length, rows of zeros and biases stay; another seed, other directions."""
    net: Any = Net()
    center = replay.flat(net)
    one, other = landscape._random(net, center, 0)
    for direction in (one, other):
        matrix, bias = direction[:15].view(3, 5), direction[15:]
        torch.testing.assert_close(matrix.norm(dim=1), net.layer.weight.detach().norm(dim=1))
        assert not bias.any()
        assert not matrix[1].any()
    assert not torch.equal(one, other)
    assert torch.equal(one, landscape._random(net, center, 0)[0])
    assert not torch.equal(one, landscape._random(net, center, 1)[0])


def test_places_in_a_random_plane_are_the_nearest() -> None:
    """The remainder is at right angles to both directions, though these are not to one another."""
    chance = torch.Generator().manual_seed(0)
    offsets = [torch.randn(50, generator=chance) for _ in range(3)]
    directions = [torch.randn(50, generator=chance) for _ in range(2)]
    _, places, _ = landscape._project(offsets, directions)
    for offset, (x, y) in zip(offsets, places, strict=True):
        rest = offset - x * directions[0] - y * directions[1]
        assert float(rest @ directions[0]) == pytest.approx(0, abs=1e-4)
        assert float(rest @ directions[1]) == pytest.approx(0, abs=1e-4)


def test_snapshots_fit_their_budget(tmp_path: Path) -> None:
    """Of large weights fewer are taken; the start, the end and the best are always among them."""
    rows = texts()
    record = lossworks.fit(rows, out=tmp_path / "run", **BAG).record
    size = 4 * record["result"]["weights"]
    taken = {}
    for room in (0, 5 * size, 1 << 30):
        done = replay.replay(
            [load(rows)], [None], Settings(**record["config"]), record, Callbacks(), scratch=tmp_path, memory=room
        )
        taken[room] = [shot.step for shot in done.snapshots]
        done.close()
    few, some, many = taken.values()
    assert len(few) <= 3 < len(some) + 1 <= 6 < len(many)
    assert {few[0], some[0], many[0]} == {0}
    assert few[-1] == some[-1] == many[-1]


def test_weights_beyond_float_have_no_height(tmp_path: Path) -> None:
    """Where the loss is not finite the surface has a hole, and JSON stays JSON."""
    rows = texts("regress")
    lossworks.fit(rows, out=tmp_path / "run", **BAG)
    found = lossworks.landscape(tmp_path / "run", rows, resolution=3, plane="random", span=9e5).found
    assert all(value is None or math.isfinite(value) for row in found.loss for value in row)
    assert Run(tmp_path / "run").summary["result"]["refit_rows"] <= REFIT_AT_MOST
