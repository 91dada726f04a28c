"""How long a comparison takes is told beforehand, and right within a factor of one and a half."""

from __future__ import annotations

import time
import types
from pathlib import Path
from typing import Any

import pytest

from lossworks.api.compare import compare, plan_of
from lossworks.evidence import plan as room

REVIEWS = Path(__file__).parents[2] / "src/lossworks/data/reviews.csv"
TRIES = 2


def ratio(**asked: Any) -> float:
    """What a comparison takes by what was told, in this process's own time: others on the machine must not matter."""
    told = plan_of(REVIEWS, **asked)
    begun = time.process_time()
    compare(REVIEWS, **asked)
    return (time.process_time() - begun) / told.seconds


@pytest.mark.parametrize(
    "asked",
    [
        {"loss": ["cross_entropy", "focal:gamma=2", "mse"], "seeds": 3, "trials": 2},
        {"optimizer": ["adam", "gradient_descent"], "model": "bag:dim=8,bits=12", "epochs": 15, "seeds": 3, "trials": 3},
    ],
    ids=["losses", "optimizers"],
)
def test_time_told(monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]) -> None:
    """Real comparisons take what their plan says, times or divided by 1.5 at most: the better of two tries, the first of which
    loads code besides.
    """
    monkeypatch.setattr(room, "time", types.SimpleNamespace(monotonic=time.process_time))
    found: list[float] = []
    while len(found) < TRIES and not (found and 1 / 1.5 <= found[-1] <= 1.5):
        found.append(ratio(**asked))
    assert 1 / 1.5 <= found[-1] <= 1.5, found


def test_what_is_told() -> None:
    """Every training is counted, and more processes take less time, but for the reading."""
    told = plan_of(REVIEWS, loss=["cross_entropy", "mse"], model="linear:bits=10", epochs=1, seeds=3, trials=5)
    assert (told.trainings, [(arm.arm, arm.trials, arm.seeds) for arm in told.arms]) == (
        16,
        [("cross_entropy", 5, 3), ("mse", 5, 3)],
    )
    assert told.seconds == pytest.approx(told.reading + 8 * sum(arm.seconds for arm in told.arms))
    assert told.to_json()["trainings"] == 16
    assert min(arm.seconds for arm in told.arms) > 0
