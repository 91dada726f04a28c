"""Laws, forecasts and what is refused, on tables drawn from a known law."""

from __future__ import annotations

import numpy as np
import pytest

from lossworks.core.errors import DataError, UsageError
from lossworks.scaling import FORMS, Machine, Runs, Target, cost, forecast


def losses(params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """The law of Hoffmann et al. as Besiroglu et al. 2024 fitted it again."""
    return 1.82 + 482 / params**0.3478 + 2085 / tokens**0.3658


def drawn(noise: float = 0.003, seed: int = 0) -> Runs:
    """24 runs of 6 sizes."""
    n, many = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 3e8, 6), [5, 15, 40, 120]))
    random = np.random.default_rng(seed)
    return Runs(n, n * many, losses(n, n * many) * np.exp(noise * random.normal(size=len(n))), source="drawn")


@pytest.mark.parametrize("name", FORMS)
def test_derivatives(name: str) -> None:
    """The derivatives of every law are those of its values."""
    random = np.random.default_rng(1)
    theta, x = random.normal(size=(3, len(FORMS[name].ranges))) / 2, random.normal(size=(5, 2))
    slopes = FORMS[name].value(theta, x)[1]
    for i in range(theta.shape[1]):
        step = np.zeros_like(theta)
        step[:, i] = 1e-6
        measured = (FORMS[name].value(theta + step, x)[0] - FORMS[name].value(theta - step, x)[0]) / 2e-6
        np.testing.assert_allclose(slopes[..., i], measured, atol=1e-8)


def test_known_law() -> None:
    """Without noise the forecast of a run 20 times as large is right to .5 %; with noise, intervals hold the true losses."""
    aims = [Target(1.2e9, 2.4e10), Target(3e9, 3e10)]
    true = np.array([losses(np.array(aim.params), np.array(aim.tokens)) for aim in aims])
    found = forecast(drawn(noise=0.0), aims)
    np.testing.assert_allclose(found.loss, true, rtol=5e-3)
    inside = widths = 0.0
    for seed in range(3):
        found = forecast(drawn(seed=seed), aims)
        low, high = np.array(found.low), np.array(found.high)
        inside += ((low <= true) & (true <= high)).mean() / 3
        widths += ((high - low) / true).mean() / 3
    assert inside >= 0.8
    assert 0.01 < widths < 0.12
    assert found == forecast(drawn(seed=2), aims)  # the same runs and seed, the same forecast
    assert sum(found.weights.values()) == pytest.approx(1)


def test_wider_where_past_forecasts_were_wrong() -> None:
    """A table whose larger runs break its law gets wider intervals; they grow with distance and with the level."""
    plain, aims = drawn(), [Target(4e8, 2e10), Target(1e9, 4e10), Target(2e9, 1e11)]
    bent = Runs(plain.params, plain.tokens, plain.loss * (1 + 0.05 * (plain.compute > np.quantile(plain.compute, 0.6))))
    before, after = forecast(plain, aims), forecast(bent, aims)
    width = np.log(np.array(before.high) / before.low)
    assert (np.diff(width) > 0).all()
    assert (np.log(np.array(after.high) / after.low) > 1.3 * width).all()
    narrow = forecast(plain, aims, level=0.8)
    assert (np.log(np.array(narrow.high) / narrow.low) < width).all()


def test_drift_is_in_the_width() -> None:
    """Where all past forecasts were too low alike, that is told, and the next interval is wide enough for it."""
    plain = drawn(noise=0.0)
    far = np.log(plain.compute / plain.compute.min())
    slowed = Runs(plain.params, plain.tokens, plain.loss * np.exp(0.0012 * far**2))
    aim = Target(1e9, 2e10)
    found, before = forecast(slowed, [aim]), forecast(plain, [aim])
    reached = float(losses(np.array(1e9), np.array(2e10))) * np.exp(0.0012 * np.log(aim.compute / plain.compute.min()) ** 2)
    assert found.drift == 0  # of 24 runs; of 48 it is taken off
    more = plain.loss * np.exp(0.004 * far**2)
    again = [np.concatenate([plain.params] * 2), np.concatenate([plain.tokens, 1.1 * plain.tokens])]
    assert forecast(Runs(*again, np.concatenate([more, 0.998 * more])), [aim]).drift < 0
    assert before.high[0] < found.loss[0] < reached < found.high[0]
    assert all(np.median(one.errors) < 0 for one in found.past)


def test_refused() -> None:
    """What these runs cannot tell is refused, with the reason: too far, too few sizes, too few runs, no such difference."""
    runs = drawn()
    with pytest.raises(UsageError, match="times as large as the largest run"):
        forecast(runs, [Target(1e12, 1e13)])
    few = runs.params < 2.5e7
    with pytest.raises(DataError, match="2 sizes"):
        forecast(Runs(runs.params[few], runs.tokens[few], runs.loss[few]), [Target(5e7, 1e9)])
    with pytest.raises(DataError, match="too few to try"):
        forecast(Runs(runs.params[:6], runs.tokens[:6] * [1, 3, 1, 3, 1, 3], runs.loss[:6]), [Target(5e8, 1e9)])
    n = np.geomspace(1e7, 1e9, 12)
    alone = Runs(n, np.full(12, 1e10), losses(n, np.full(12, 1e10)))
    with pytest.raises(UsageError, match="same tokens"):
        forecast(alone, [Target(2e9, 1e11)])


@pytest.mark.parametrize(
    ("change", "said"),
    [({"loss": [2.0, np.nan, 3.0]}, "row 2: loss is nan"), ({"tokens": [1e9, 0, 1e9]}, "tokens is 0"),
     ({"params": [1e6, 1e6, 1e7], "loss": [3.0, 3.0, 2.0]}, "row 2 is row 1 again")],
)  # fmt: skip
def test_bad_runs(change: dict[str, list[float]], said: str) -> None:
    """A number that is none, and a run that is there twice, are named by their row."""
    given = {"params": [1e6, 3e6, 1e7], "tokens": [1e9, 1e9, 1e9], "loss": [3.0, 2.5, 2.0]} | change
    with pytest.raises(DataError, match=said):
        Runs(**{key: np.array(values) for key, values in given.items()})


def test_one_quantity() -> None:
    """Where only parameters vary, or tokens follow from them, the law is of that alone, and right."""
    n = np.geomspace(1e7, 1e9, 14)
    for tokens, aim, many in ((np.full(14, 1e10), 5e9, 1e10), (20 * n, 4e9, 8e10)):
        found = forecast(Runs(n, tokens, losses(n, tokens)), [Target(aim, many)])
        assert list(found.weights) == ["power"]
        assert found.loss[0] == pytest.approx(float(losses(np.array(aim), np.array(many))), rel=0.02)


def test_repeated_tokens_count_for_less() -> None:
    """Four passes over tokens are worth a little less than as many different ones; a target that repeats gets a higher loss."""
    runs = drawn()
    told = Runs(runs.params, runs.tokens, runs.loss, unique=runs.tokens)
    assert told.effective(np.array([4.0]), np.array([1.0]))[0] == pytest.approx(1 + 15.39 * (1 - np.exp(-3 / 15.39)))
    once, again = forecast(told, [Target(6e8, 4e10), Target(6e8, 4e10, unique=1e9)]).loss
    assert again > 1.005 * once


def test_cost() -> None:
    """Seconds and memory are the arithmetic that is said: 6 N D over the speed, 16 bytes a parameter or the runs' own."""
    plain = drawn()
    timed = Runs(plain.params, plain.tokens, plain.loss, seconds=plain.compute / 1e12)
    aim = Target(1e9, 2e10)
    assert cost(timed, aim, Machine(cores=4), 2).seconds == pytest.approx(aim.compute / 2e12)
    assert (cost(timed, aim).memory, cost(timed, aim).measured) == (16e9, False)
    for slope, used in ((40, 40), (3, 16)):
        told = Runs(plain.params, plain.tokens, plain.loss, memory=4e8 + slope * plain.params)
        assert cost(told, aim).memory == pytest.approx(4e8 + slope * 3e8 + used * 7e8)
        assert cost(told, Target(1e6, 2e10)).memory == told.memory.max()
    assert cost(plain, aim).seconds is None
    two = Machine(gpus=2, flops=1e14, bandwidth=1e10, batch_tokens=1e6)
    assert cost(plain, aim, two).seconds == pytest.approx(aim.compute / (2e14 * 0.4) + 2e4 * 4e9 / 1e10)
    with pytest.raises(UsageError, match="--flops"):
        Machine(gpus=2)
