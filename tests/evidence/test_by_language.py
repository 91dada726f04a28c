"""Arms and models by language: what an average hides is found, what is not there is not, and figures are those worked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lossworks import metrics
from lossworks.data import Languages
from lossworks.evidence import by_language
from lossworks.evidence.by_language import of_arms, of_models
from lossworks.evidence.verdicts import Measured

NAMES = ("deu", "one", "tha", "yor")
SIZES = (120, 3, 40, 80)
OF_ROW = Languages(NAMES, np.repeat(np.arange(4, dtype=np.int32), SIZES))
N = sum(SIZES)


@pytest.fixture(autouse=True)
def few_flips(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the draws of the permutation test: its p is needed to the hundredth."""
    real = by_language.flips
    monkeypatch.setattr(by_language, "flips", lambda d: real(d, count=999))


def arm(rows: NDArray[np.float64], diverged: tuple[int, ...] = ()) -> Measured:
    """An arm with these rows [S, N]."""
    return Measured(name="arm", rows=rows, seeds=tuple(range(len(rows))), diverged=diverged)


def told(*arms: Measured, word: str = "better", **more: Any) -> Any:
    """What is said of the second."""
    ones = [np.ones(N), np.ones(N)]
    how: dict[str, Any] = {"texts": None, "languages": OF_ROW, "words": ("baseline", word), "unit": "nats", "rising": False}
    (found,) = of_arms(arms, more.pop("sizes", ones), **(how | more))
    return found


def noise(seed: int) -> NDArray[np.float64]:
    """Rows of six seeds about nothing."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, 0.02, (6, 1)) + rng.normal(0, 0.1, (6, N))


def test_better_on_average_worse_in_one() -> None:
    """The language that pays for an average is named first, in one sentence; a few texts are told and not tested."""
    shift = np.repeat([-0.3, 5.0, 0.2, -0.2], SIZES)
    found = told(arm(noise(0)), arm(noise(1) + shift))
    assert [(row["language"], row["word"], row["texts"]) for row in found["rows"]] == [
        ("tha", "worse", 40),
        ("yor", "better", 80),
        ("deu", "better", 120),
        ("one", "few texts", 3),
    ]
    assert found["sentence"].startswith(
        "Better on average, but worse in tha, better in 2 of 3 languages (deu, yor), after Holm's correction over 3 languages. "
        "In tha: +0."
    )
    assert found["sentence"].endswith("40 texts). Too few texts of one.")
    more = told(arm(noise(0)), arm(noise(1) + shift), rising=True, word="worse")
    assert more["sentence"].startswith("Worse on average, but better in tha, worse in 2 of 3 languages (")
    assert more["rows"][0]["language"] == "deu"
    half = told(arm(noise(0)), arm(noise(1) + shift, diverged=(2,)))
    assert "better" not in [row["word"] for row in half["rows"]]
    half = told(arm(noise(0), diverged=(2,)), arm(noise(1) + shift))
    assert "worse" not in [row["word"] for row in half["rows"]]
    same = told(arm(noise(0)), arm(noise(0)), word="no difference shown")
    assert same["sentence"].startswith(
        "No difference shown on average, shown to be better or worse in none of 3 languages, after Holm's correction."
    )


def test_no_difference_is_rarely_called_one() -> None:
    """Of 20 languages in which two arms are alike none is called by a word, in all but few comparisons."""
    languages = Languages(tuple(f"l{n:02}" for n in range(20)), np.arange(600, dtype=np.int32) % 20)
    rng, called, ones = np.random.default_rng(0), 0, [np.ones(600)] * 2
    for _ in range(60):
        arms = [arm(rng.normal(0, 0.05, (4, 1)) + rng.normal(size=(4, 600))) for _ in range(2)]
        words = ("baseline", "better")
        (found,) = of_arms(arms, ones, None, languages, words, "nats", rising=False)
        called += any(row["word"] != "no difference shown" for row in found["rows"])
    assert called <= 6


@pytest.mark.parametrize("kind", ["weights", "tokens"])
def test_rates(kind: str) -> None:
    """A language's difference is that of its weighted means, or of its rates by token; rows of one text are one."""
    rng = np.random.default_rng(0)
    size = rng.integers(1, 30, N).astype(np.float64)
    sums = rng.exponential(size=(2, 2, N)) * size
    if kind == "weights":  # as by_row puts weights into values
        share = size * (N / size.sum())
        mean = sums.sum(-1, keepdims=True) / size.sum()
        values = mean + (sums / size - mean) * share
    else:
        counts = metrics.SegmentCounts(
            np.r_[0, size.cumsum()].astype(np.int64), size.astype(np.int64), size, size.astype(np.int64)
        )
        values = np.array([[metrics.by_segment(nats, counts)["nats_per_token"] for nats in of] for of in sums])
    texts = np.arange(N) // 2  # pairs
    found = told(arm(values[0]), arm(values[1]), sizes=[size, size], texts=texts)
    for row in found["rows"]:
        of = OF_ROW.rows()[row["language"]]
        assert row["texts"] == len(np.unique(texts[of]))
        if row["value"] is not None:
            rates = sums[:, :, of].sum(-1) / size[of].sum()
            assert row["value"] == pytest.approx((rates[1] - rates[0]).mean())


def test_models() -> None:
    """Trained models are compared by their texts alone."""
    rng = np.random.default_rng(0)
    first = rng.exponential(size=N)
    second = first + rng.normal(0, 0.1, N) + np.repeat([-0.1, 0.0, 0.1, 0.0], SIZES)
    runs = {name: metrics.Losses(values, np.ones(N), np.arange(N)) for name, values in (("a", first), ("b", second))}
    (found,) = of_models(runs, OF_ROW, "nats")
    assert (found["run"], found["against"]) == ("b", "a")
    assert [row["word"] for row in found["rows"]] == ["worse", "no difference shown", "better", "few texts"]
    assert found["rows"][0]["value"] == pytest.approx((second - first)[123:163].mean())
