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
from lossworks.metrics.swaps import Answers, swapped

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
            np.r_[0, size.cumsum()].astype(np.int64), size.astype(np.int64), size, *np.zeros((2, len(size)), np.int64)
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


def f1_rows(said: NDArray[Any], truth: NDArray[Any], weight: NDArray[Any] | None = None) -> NDArray[np.float64]:
    """Macro-F1 of each language by itself, row by row."""
    logits = np.eye(3)[said]

    def rows_of(rows: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        return metrics.by_row("classify", logits[rows], truth[rows], weights=None if weight is None else weight[rows])

    return metrics.rows_within(rows_of, OF_ROW, weight)["macro_f1"]


def test_f1_of_a_language() -> None:
    """Each language's own F1 is that of its rows alone, weighted; one without weight has none, and is not tested."""
    rng = np.random.default_rng(0)
    truth, said = rng.integers(0, 3, N), rng.integers(0, 3, N)
    weight = rng.exponential(size=N)
    weight[OF_ROW.rows()["yor"]] = 0
    rows = f1_rows(said, truth, weight)
    for name, of in OF_ROW.rows().items():
        if name != "yor":
            alone = metrics.classify(np.eye(3)[said[of]], truth[of], weights=weight[of]).metrics["macro_f1"]
            assert rows[of].mean() == pytest.approx(alone.value)
    assert np.isnan(rows[OF_ROW.rows()["yor"]]).all()
    assert set(np.flatnonzero(np.isnan(rows))) == set(OF_ROW.rows()["yor"])
    same = np.stack([rows, rows])
    assert [row["word"] for row in told(arm(same), arm(same), sizes=None, rising=True)["rows"]][-2:] == ["few texts"] * 2


def answers(rng: np.random.Generator, truth: NDArray[Any], wrong: NDArray[Any]) -> NDArray[Any]:
    """The truth, but for a share that is drawn anew, mostly from the most frequent class."""
    return np.where(rng.random(N) < wrong, rng.choice(3, N, p=[0.6, 0.3, 0.1]), truth)


def test_f1_of_arms() -> None:
    """The language in which an arm misses the rare classes is found by F1, with the sign that more is better."""
    rng = np.random.default_rng(0)
    truth = rng.choice(3, N, p=[0.6, 0.3, 0.1])
    wrong = np.repeat([0.3, 0.3, 0.9, 0.3], SIZES)
    first, second = (
        arm(np.stack([f1_rows(answers(rng, truth, share), truth) for _ in range(6)])) for share in (np.full(N, 0.3), wrong)
    )
    found = told(first, second, sizes=None, rising=True, unit="of macro-F1", word="worse")
    assert (found["rows"][0]["language"], found["rows"][0]["word"]) == ("tha", "worse")
    assert [row["word"] for row in found["rows"][1:]] == ["no difference shown"] * 2 + ["few texts"]
    of = OF_ROW.rows()["tha"]
    assert found["rows"][0]["value"] == pytest.approx((second.rows - first.rows)[:, of].mean())


def test_f1_of_models() -> None:
    """Of 20 texts with a rare class the linearised test calls alike models different; with answers swapped it seldom does, and
    what differs is still found.
    """
    rng, called, naive, whole = np.random.default_rng(0), 0, 0, np.arange(N)
    few = Languages(tuple(f"l{n:02}" for n in range(12)), np.arange(N, dtype=np.int32) % 12)
    for _ in range(12):
        truth = rng.choice(3, N, p=[0.6, 0.3, 0.1])
        said = {name: answers(rng, truth, np.full(N, 0.3)) for name in "ab"}
        ours = {name: Answers.of(each, truth, 3, None) for name, each in said.items()}

        def p(_: str, rows: NDArray[np.int64], ours: dict[str, Answers] = ours) -> float:
            return swapped(ours["a"], ours["b"], rows, whole)

        rows = {}
        for name, each in said.items():
            logits = np.eye(3)[each]
            own = metrics.rows_within(lambda at, z=logits, t=truth: metrics.by_row("classify", z[at], t[at]), few, None)
            rows[name] = metrics.Losses(own["macro_f1"], np.ones(N), whole)
        for test in (None, p):
            (found,) = of_models(rows, few, "of macro-F1", rising=True, swapped=test)
            any_called = any(row["word"] != "no difference shown" for row in found["rows"])
            called, naive = called + (any_called and test is p), naive + (any_called and test is None)
    assert (called <= 1, naive >= 3) == (True, True)
    bad = {"a": Answers.of(truth, truth, 3, None), "b": Answers.of(answers(rng, truth, np.ones(N)), truth, 3, None)}
    assert swapped(bad["a"], bad["b"], OF_ROW.rows()["tha"], whole) == 1e-4
    assert swapped(bad["a"], bad["a"], whole, whole) == 1
    pairs = np.zeros(N)  # one text has but one exchange, which is all or nothing
    assert swapped(bad["a"], bad["b"], whole, pairs) == 1
