"""What a fit does with its optimiser: schedules, clipping, averages, sampled curvature, other people's; and what the log says."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import lossworks
from lossworks.core.errors import Diverged, UnknownName, UsageError
from lossworks.data import load
from lossworks.engine.monitors import Spikes
from lossworks.optim import Stepper, gradients, optimizers
from lossworks.optim.leaping import Leaping
from lossworks.training import Settings, fit_corpora

REVIEWS = Path(__file__).parents[2] / "src/lossworks/data/reviews.csv"
SMALL: dict[str, Any] = {"model": "linear:bits=12,chars=3", "epochs": 4, "patience": 4}


def events(run: Path, kind: str) -> list[dict[str, Any]]:
    """The lines of the log of one kind."""
    lines = map(json.loads, (run / "log.jsonl").read_text("utf-8").splitlines())
    return [line for line in lines if line["event"] == kind]


def weights(model: lossworks.Model) -> np.ndarray:
    """All in a row."""
    return torch.cat([p.flatten() for p in model.predictor.network.state_dict().values()]).numpy()


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The factor of every step that any stepper takes."""
    found: list[float] = []
    step = Stepper.step

    def watched(self: Stepper, factor: float = 1.0, *rest: Any, **more: Any) -> Any:
        found.append(factor)
        return step(self, factor, *rest, **more)

    leap = Leaping.leap

    def leapt(self: Leaping, take: Any, factors: Any, **more: Any) -> Any:
        def counted(rates: Any) -> int:
            done: int = take(rates)
            found.extend(factors[:done])
            return done

        return leap(self, counted, factors, **more)

    monkeypatch.setattr(Stepper, "step", watched)
    monkeypatch.setattr(Leaping, "leap", leapt)
    return found


def test_a_schedule_is_followed(rates: list[float], tmp_path: Path) -> None:
    """Every step has the factor that the schedule gives it over all epochs; the record and the log say so."""
    model = lossworks.fit(REVIEWS, out=tmp_path / "run", schedule="linear:warmup=1epochs", valid=0, **SMALL)
    steps = len(rates)
    length = steps // 4
    assert rates == pytest.approx([
        min((step + 1) / length, 1 - max(0, step - length + 1) / (3 * length + 1)) for step in range(steps)
    ])  # fmt: skip
    assert model.record["config"]["schedule"] == "linear:warmup=1epochs"
    last = events(tmp_path / "run", "train")[-1]
    assert last["lr"] == pytest.approx(model.record["config"]["lr"] * rates[-1])


def test_a_second_training_follows_the_first(rates: list[float]) -> None:
    """The training that includes the validation rows has the schedule of the first, held-out scores and all, up to the best."""
    result = lossworks.fit(REVIEWS, schedule="plateau:gamma=0.1,threshold=0.2", **SMALL | {"epochs": 8}).record["result"]
    assert result["refit_rows"]
    assert len(result["scores"]) == result["epochs"]
    first, second = (-(-rows // 16) for rows in (result["refit_rows"] - 65, result["refit_rows"]))
    change = rates.index(pytest.approx(0.1))
    assert change % first == 0
    again = rates[first * result["epochs"] :]
    assert len(again) == second * result["best_epoch"]
    assert again[: second * (change // first)] == pytest.approx([1.0] * min(len(again), second * (change // first)))
    assert again[-1] == pytest.approx(rates[first * result["best_epoch"] - 1])


def test_the_log_tells_of_health(tmp_path: Path) -> None:
    """Gradient norm, moves by role and the share of clipped steps stand in the log, and in the report's charts."""
    choices = SMALL | {"model": "bag:dim=8,bits=12", "optimizer": "adamw", "clip": 1e-4}
    lossworks.fit(REVIEWS, out=tmp_path / "run", **choices)
    lines = events(tmp_path / "run", "train")
    assert all(line["clipped"] == 1.0 for line in lines)
    told = [line for line in lines if "moved" in line]
    assert told
    assert {"embedding", "head"} <= set(told[-1]["moved"]) <= {"embedding", "head", "vector"}  # a bias of zero has no size
    assert told[0]["gradient_norm"] > 1e-4
    assert "Training health" in (tmp_path / "run/report.html").read_text("utf-8")


def test_spikes() -> None:
    """A loss that stays far above the usual is told, once each time, and never while nothing is usual; a slow rise is none."""
    chance = np.random.default_rng(0)
    spikes = Spikes()
    losses = 2 * 0.999 ** np.arange(2000) + chance.normal(0, 0.05, 2000)
    losses[[10, 11, 700, 701, 900, 1500, 1501, 1502]] += 3
    found = [number for number, loss in enumerate(losses) if spikes.usual(float(loss)) is not None]
    assert found == [701, 1501]
    slow = Spikes()
    assert all(slow.usual(1 + number / 1000) is None for number in range(2000))


def test_average_of_weights(tmp_path: Path) -> None:
    """What is saved is the average, not the weights that training went on with, and the run directory holds the same."""
    plain, averaged = (lossworks.fit(REVIEWS, out=tmp_path / str(ema), valid=0, ema=ema, **SMALL) for ema in (None, 0.9))
    assert not np.allclose(weights(plain), weights(averaged), atol=1e-3)
    assert np.array_equal(weights(lossworks.load(tmp_path / "0.9")), weights(averaged))
    assert np.abs(weights(averaged)).sum() < np.abs(weights(plain)).sum()  # it lags behind


@pytest.mark.parametrize("name", [entry.name for entry in optimizers])
def test_every_default_learns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its default rate, every optimiser learns the reviews, better than the baseline is; slow ones take longer."""
    monkeypatch.setattr("lossworks.training.refit.REFIT_AT_MOST", 0)  # one training shows it

    def learns(epochs: int) -> bool:
        model = lossworks.fit(REVIEWS, model="bag:dim=8,bits=12", optimizer=name, epochs=epochs, patience=epochs)
        floor = model.record["result"]["baseline"]["metrics"]["nll"]["value"]
        return bool(model.metrics["nll"]["value"] < 0.95 * floor)

    assert any(map(learns, (40,) if optimizers[name].thing().full_batch else (6, 12)))


def test_optimizers_of_others(tmp_path: Path) -> None:
    """A function that makes a PyTorch optimiser trains, with a rate and a schedule of ours; the record tells its name."""
    make = partial(torch.optim.NAdam, lr=0.02, momentum_decay=0.01)
    spec = "nadam:lr=0.02,momentum_decay=0.01"
    own, theirs = (lossworks.fit(REVIEWS, optimizer=given, valid=0, **SMALL) for given in (spec, make))
    np.testing.assert_allclose(weights(theirs), weights(own), rtol=1e-4, atol=1e-6)
    found = lossworks.fit(REVIEWS, out=tmp_path / "run", optimizer=make, lr=0.001, schedule="cosine", valid=0, **SMALL)
    assert found.record["config"]["optimizer"] == "given:NAdam"
    assert found.record["config"]["lr"] == 0.001
    with pytest.raises(UsageError, match="NAdam, which no record can"):
        lossworks.landscape(tmp_path / "run")


@pytest.mark.parametrize(
    ("choice", "error", "word"),
    [
        ({"lr": "fast"}, UsageError, "'fast'.*auto"), ({"batch_size": "big"}, UsageError, "'big'.*auto"),
        ({"micro_batch": 0}, UsageError, "micro_batch is 0"), ({"schedule": "cosin"}, UnknownName, "cosine"),
        ({"schedule": "wsd:decay=5tokens"}, UsageError, "tokens, which are not counted here"),
        ({"clip": 0}, UsageError, "clip is 0"), ({"ema": 1.0}, UsageError, "1.0"), ({"optimizer": "adm"}, UnknownName, "adam"),
        ({"lr": math.nan}, UsageError, "lr is nan"), ({"optimizer": "lbfgs", "clip": 1.0}, UsageError, "clip"),
        ({"optimizer": "lbfgs", "penalty": "l1"}, UsageError, "smooth"), ({"optimizer": len}, UsageError, "wanted a torch.optim"),
        ({"optimizer": torch.optim.LBFGS}, UsageError, "lbfgs"), ({"device": "meta"}, UsageError, "meta"),
        ({"optimizer": "schedule_free_sgd", "ema": 0.9}, UsageError, "averages the weights itself"),
    ],
)  # fmt: skip
def test_refused(choice: dict[str, Any], error: type[Exception], word: str) -> None:
    """What makes no sense, or does not go together, is refused by name with what would."""
    with pytest.raises(error, match=word):
        lossworks.fit(REVIEWS, **SMALL | choice)


def test_a_gradient_that_is_not_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    """A finite loss with a gradient that is not stops training before the update, where clipping looks at it."""
    norms = iter([1.0, 1.0, math.inf])
    monkeypatch.setattr(gradients.Gradients, "norm", lambda self: next(norms))
    with pytest.raises(Diverged, match="gradient was not finite at step 3"):
        lossworks.fit(REVIEWS, clip=5.0, **SMALL)


def test_pieces_and_the_clock(rates: list[float], tmp_path: Path) -> None:
    """Where the data come in pieces, each with a last batch of its own, the schedule knows of every step."""
    corpus = load(REVIEWS)
    settings = Settings(model="linear:bits=10,chars=0", schedule="linear", epochs=2, patience=2, valid=0.0, test=0.0)
    fit_corpora([corpus], [None], settings, scratch=tmp_path, budget=1000)
    corpus.close()
    assert len(rates) > 2 * 656 / 16 + 20
    assert rates == pytest.approx([1 - step / len(rates) for step in range(len(rates))])


def test_a_rate_of_nothing() -> None:
    """A schedule that ends at 0 is fine for every optimiser."""
    for name in ("adafactor", "prodigy", "schedule_free_adamw", "muon"):
        lossworks.fit(REVIEWS, model="bag:dim=4,bits=10", optimizer=name, schedule="one_cycle:final=0", epochs=1, valid=0)
